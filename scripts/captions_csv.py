"""Makes a captions.csv for a folder of pictures out of text files, as captions of birds and flowers are given away.

    python scripts/captions_csv.py pictures=CUB_200_2011/images texts=text_c10

For each picture `images/<…>/<name>.jpg` there is a text file `texts/<…>/<name>.txt` with a caption in each line.
Pictures without one are told about and have none, so that a run names them. A captions.csv that is there stays.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from gantrain.data.captions import FILE
from gantrain.data.pictures import pictures_below
from gantrain.errors import UserError


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="pictures=… texts=…", help="the two folders")
    words = dict(word.partition("=")[::2] for word in parser.parse_args().words)
    if set(words) != {"pictures", "texts"} or not all(words.values()):
        parser.error("name both folders, and nothing else: pictures=<of pictures> texts=<of text files>")
    pictures, texts = Path(words["pictures"]).expanduser(), Path(words["texts"]).expanduser()
    if (pictures / FILE).exists():
        parser.error(f"{pictures / FILE} is there already: move it elsewhere, or remove it")
    if not texts.is_dir():
        parser.error(f"there is no folder {texts}: name the one that holds the text files")
    try:
        found = pictures_below(pictures)
    except UserError as error:
        parser.error(str(error).replace("dataset.path", "pictures"))
    rows, without = [], 0
    for picture in found:
        name = picture.relative_to(pictures)
        text = texts / name.with_suffix(".txt")
        lines = text.read_text(encoding="utf-8").splitlines() if text.is_file() else []
        captions = [line for line in map(str.strip, lines) if line]
        rows += [(name.as_posix(), caption) for caption in captions]
        without += not captions
    if not rows:
        parser.error(f"no picture in {pictures} has a text file of its name in {texts}: name the two folders anew")
    with (pictures / FILE).open("x", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("file", "caption"), *rows])
    print(f"{pictures / FILE}: {len(rows):,} captions" + (f"; {without:,} pictures have none" if without else ""))


if __name__ == "__main__":
    main()
