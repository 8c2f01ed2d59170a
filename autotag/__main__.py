from autotag.cli import main

main()
