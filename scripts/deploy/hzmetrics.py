#!/bin/sh
''':' # sh reads this line as the command `:` and the next as its own; Python skips both as a text
exec "$(dirname "$(readlink -f "$0")")/hzmetrics" "$@"
'''
# hzmetrics.py for crontabs and scripts that still call it, with or without `python3` before it:
# starts the hzmetrics beside it with the same words; its exit code is that of hzmetrics.
import os
import sys

program = os.path.join(os.path.dirname(os.path.realpath(__file__)), "hzmetrics")
os.execv(program, [program] + sys.argv[1:])
