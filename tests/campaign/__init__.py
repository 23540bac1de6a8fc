"""A campaign against the kit that anyone can run: kills at every change of the file system, damaged files, pairs.

    make fuzz FUZZ="--minutes 10 --seed 1"      or, in an environment that has the kit: python -m tests.campaign

It prints how many cases of each kind were tried and held, and each fault with the command that repeats it; the exit
status is 1 where something did not hold. pytest runs a few of its cases (tests/test_campaign.py), not the campaign.

killer.py     in the process of a command: counts the changes of the file system, and strikes at one of them
warm.py       runs `maam` in a fork of a process that has imported everything
sources.py    the footage, archive, flow and recipes that it starts from
commands.py   the commands, each with the folder that it starts from
trees.py      what a folder holds, to compare: arrays and weights bit by bit, results up to times
kills.py      a command that is killed, interrupted or starved at one change, and then run again
pairs.py      two of the same command at once
hostile.py    files damaged at random, and the commands that read them
names.py      names that are paths, HTML or no names at all
"""
