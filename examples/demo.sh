#!/usr/bin/env bash
# A first run: the scripted expert on 20 chains, a random policy on one, the table, and films. Uses CALVIN's own scene
# where its files can be had, else the embedded one. Takes the folder of the installed commands as its argument.
set -euo pipefail
export PATH="$1:$PATH"

say() { printf '\n\033[1m$ seer-bench %s\033[0m\n' "$*"; seer-bench "$@"; }

protocol=calvin-abc-d/v1
if ! say assets calvin; then
    protocol=calvin-embedded/v1
    echo
    echo "CALVIN's files could not be fetched, so this demo plays on the embedded scene ($protocol)."
    echo "Its numbers do not compare with published ones."
fi

runs="results/runs/demo-${protocol//\//-}"
say run calvin --policy expert --protocol "$protocol" --units 0:20 --out "$runs/expert" --video failed
say video "$runs/expert" --units 0
# The expert may solve all twenty; a random policy shows what a film of a failure looks like.
say run calvin --policy random --protocol "$protocol" --units 0:1 --out "$runs/random" --video failed
say report "$runs" --clips 4

echo
echo "films:  $(ls "$runs"/*/videos/*.mp4 | tr '\n' ' ')"
echo "pages: results/report/html/index.html; tables: results/report/table2.md, .csv, .tex"
