from train.cli import main

if __name__ == "__main__":  # not in the processes that are spawned
    main()
