from autotag.cli.main import main

main()
