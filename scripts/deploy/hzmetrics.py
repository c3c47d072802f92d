#!/bin/sh
''':' # sh reads this line as the command `:` and runs the next; Python skips both as a string
exec "$(dirname "$(readlink -f "$0")")/hzmetrics" "$@"
'''
# hzmetrics.py for crontabs and scripts that still call it, with or without `python3` in front:
# starts the hzmetrics next to it with the same arguments; its exit code is that of hzmetrics.
import os
import sys

program = os.path.join(os.path.dirname(os.path.realpath(__file__)), "hzmetrics")
os.execv(program, [program] + sys.argv[1:])
