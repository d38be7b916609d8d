"""Small data in the forms in which people bring it: real texts of Python's library, pictures that are made."""

from __future__ import annotations

import csv
import decimal
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from genwright.data.modalities.base import modalities

N = 72  # items of each


def questions() -> list[tuple[str, str]]:
    """A question and its answer: what a function of the standard library is called, and how its description begins."""
    import inspect
    import textwrap

    found = []
    for module in (textwrap, inspect, json, csv, gzip):
        for name, thing in sorted(vars(module).items()):
            text = inspect.getdoc(thing) if callable(thing) and not name.startswith("_") else None
            if text:
                found.append((f"What does {module.__name__}.{name} do?", text.partition("\n\n")[0]))
    return list(dict.fromkeys(found))[:N]


def pictures() -> list[bytes]:
    return modalities.get("image").fixture(N)


def colours() -> list[str]:
    return [f"a {('bright', 'dark', 'small')[place % 3]} shape, number {place}" for place in range(N)]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def separated(path: Path, rows: list[dict[str, Any]], delimiter: str = ",", mark: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(mark)
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return path


def prompts(folder: Path) -> Path:
    return lines(folder / "train.jsonl", [{"prompt": q, "completion": a} for q, a in questions()]).parent


def messages(folder: Path) -> Path:
    said = lambda q, a: [{"role": "user", "content": q}, {"role": "assistant", "content": a}]  # noqa: E731
    return lines(folder / "chats.jsonl", [{"messages": said(q, a)} for q, a in questions()]).parent


def sharegpt(folder: Path) -> Path:
    said = lambda q, a: [{"from": "human", "value": q}, {"from": "gpt", "value": a}]  # noqa: E731
    folder.mkdir(parents=True)
    (folder / "all.json").write_text(json.dumps([{"conversations": said(q, a)} for q, a in questions()]))
    return folder


def alpaca(folder: Path) -> Path:
    folder.mkdir(parents=True)
    rows = [{"instruction": q, "input": str(n) if n % 2 else "", "output": a} for n, (q, a) in enumerate(questions())]
    with gzip.open(folder / "alpaca.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def translation(folder: Path) -> Path:
    folder.mkdir(parents=True)
    table = pa.table({"translation": [{"en": q, "de": a} for q, a in questions()]})
    pq.write_table(table, folder / "train-00000-of-00001.parquet")
    return folder


def labelled(folder: Path) -> Path:
    rows = [{"text": a, "label": ("plain", "odd")[n % 2]} for n, (_, a) in enumerate(questions())]
    return separated(folder / "texts.csv", rows, ";", "\ufeff").parent


def programs(folder: Path) -> Path:
    """As the-stack has them: functions of the standard library, and where they are from."""
    import inspect
    import shutil
    import textwrap

    rows = []
    for module in (inspect, textwrap, shutil, csv, json, gzip, tarfile, zipfile):
        for name, thing in sorted(inspect.getmembers(module, inspect.isfunction)):
            if thing.__module__ == module.__name__:
                rows.append({"content": inspect.getsource(thing), "path": f"{module.__name__}.py#{name}", "license": "PSF"})
    return lines(folder / "data.jsonl", rows[:N]).parent


def modules(folder: Path) -> Path:
    """Files of a program."""
    import sysconfig

    folder.mkdir(parents=True)
    every = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"), key=lambda path: path.stat().st_size)
    written = [path for path in every if b"DO NOT EDIT" not in path.read_bytes()]
    for path in written[20 : 20 + N]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def guessed(folder: Path) -> Path:
    return separated(folder / "faq.tsv", [{"frage": q, "antwort": a} for q, a in questions()], "\t").parent


def arrow(folder: Path) -> Path:
    """As `save_to_disk` leaves it."""
    (folder / "train").mkdir(parents=True)
    table = pa.table({"text": [a for _, a in questions()]})
    with (
        pa.OSFile(str(folder / "train" / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table)
    (folder / "train" / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}')
    return folder


def captions(folder: Path) -> Path:
    """Hugging Face's imagefolder, with names of files in capitals."""
    (folder / "train").mkdir(parents=True)
    rows = []
    for place, (data, caption) in enumerate(zip(pictures(), colours(), strict=True)):
        (folder / "train" / f"{place:03d}.PNG").write_bytes(data)
        rows.append({"file_name": f"train/{place:03d}.PNG", "text": caption})
    return lines(folder / "metadata.jsonl", rows).parent


def embedded(folder: Path) -> Path:
    """Pictures within a table, as Hugging Face keeps them."""
    folder.mkdir(parents=True)
    images = [{"bytes": data, "path": f"{place}.png"} for place, data in enumerate(pictures())]
    pq.write_table(pa.table({"image": images, "caption": colours()}), folder / "data.parquet")
    return folder


def by_name(folder: Path) -> Path:
    """One JSON object of captions by file name."""
    folder.mkdir(parents=True)
    for place, data in enumerate(pictures()):
        (folder / f"{place:03d}.png").write_bytes(data)
    told = {f"{place:03d}.png": {"caption": caption} for place, caption in enumerate(colours())}
    (folder / "captions.json").write_text(json.dumps(told))
    return folder


def book(folder: Path) -> Path:
    """One big text: what modules of the standard library say of themselves."""
    import argparse
    import email.message
    import inspect
    import logging
    import pathlib
    import subprocess
    import unittest

    said = []
    for module in (argparse, decimal, email.message, inspect, logging, pathlib, subprocess, tarfile, unittest.case, zipfile):
        for _, thing in sorted(inspect.getmembers(module, lambda one: inspect.isclass(one) or inspect.isfunction(one))):
            said += [inspect.getdoc(thing) or "", *(inspect.getdoc(one) or "" for one in vars(thing).values() if callable(one))]
    folder.mkdir(parents=True)
    (folder / "book.txt").write_text("\n\n".join(dict.fromkeys(said)))
    return folder / "book.txt"


def aligned(folder: Path) -> Path:
    """Line by line, as Moses has it."""
    folder.mkdir(parents=True)
    pairs = [(q, " ".join(a.split())) for q, a in questions()]
    (folder / "train.en").write_text("".join(q + "\n" for q, _ in pairs))
    (folder / "train.target").write_text("".join(a + "\n" for _, a in pairs))
    return folder


def in_two_folders(folder: Path) -> Path:
    for place, (q, a) in enumerate(questions()):
        for name, text in (("articles", a), ("summaries", q)):
            path = folder / name / f"{place:03d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return folder


def added(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def shards(folder: Path) -> Path:
    """WebDataset as img2dataset writes it."""
    folder.mkdir(parents=True)
    told = list(enumerate(zip(pictures(), colours(), strict=True)))
    for number, part in enumerate((told[: N // 2], told[N // 2 :])):
        with tarfile.open(folder / f"{number:05d}.tar", "w") as archive:
            for place, (data, caption) in part:
                added(archive, f"{place:09d}.png", data)
                added(archive, f"{place:09d}.txt", caption.encode())
                added(archive, f"{place:09d}.json", json.dumps({"caption": caption, "key": str(place)}).encode())
    return folder


def zipped(folder: Path) -> Path:
    """Pictures in folders that are labels, as somebody sends them."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "shapes.zip", "w") as archive:
        for place, data in enumerate(pictures()):
            archive.writestr(f"shapes/{('round', 'square')[place % 2]}/{place}.png", data)
            archive.writestr(f"__MACOSX/shapes/._{place}.png", b"")
    return folder / "shapes.zip"


def texts_in_shards(folder: Path) -> Path:
    folder.mkdir(parents=True)
    with tarfile.open(folder / "texts.tar.gz", "w:gz") as archive:
        for place, (_, a) in enumerate(questions()):
            added(archive, f"docs/{place:04d}.txt", a.encode())
            added(archive, f"docs/{place:04d}.cls", str(place % 2).encode())
    return folder


def drawn_from(folder: Path) -> Path:
    """Pictures, and beside them what they are drawn from, under the same names."""
    for place, data in enumerate(pictures()):
        for name, shown in (("control", pictures()[place - 1]), ("photos", data)):
            path = folder / name / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(shown)
    return folder


def several_captions(folder: Path) -> Path:
    """Side files with a caption a line, as OneTrainer has them, in capitals; the last pictures have that of their folder."""
    folder.mkdir(parents=True)
    for place, (data, caption) in enumerate(zip(pictures(), colours(), strict=True)):
        (folder / f"{place:03d}.PNG").write_bytes(data)
        if place < N - 4:
            (folder / f"{place:03d}.TXT").write_text(f"{caption}\n\na thing in the {('middle', 'corner')[place % 2]}\n")
    (folder / "default.txt").write_text("some shape\n")
    return folder


def masked(folder: Path) -> Path:
    """Pictures with masks and control pictures by name, as OneTrainer has them."""
    folder.mkdir(parents=True)
    for place, data in enumerate(pictures()):
        (folder / f"{place}.png").write_bytes(data)
        (folder / f"{place}-condlabel.png").write_bytes(pictures()[place - 1])
        (folder / f"{place}-masklabel.png").write_bytes(pictures()[place - 2])
    return folder


PAIR, TEXT, CAPTIONED, LABELLED = {"condition"}, set(), {"caption"}, {"label"}


def arrays(place: Path) -> Path:
    """An archive of NumPy arrays, as MedMNIST comes: pictures, and a column of labels."""
    place.mkdir(parents=True)
    several = np.stack([np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((16, 16))) for data in pictures()])
    labels = np.arange(N)[:, None] % 3
    np.savez_compressed(place / "cells.npz", train_images=several, train_labels=labels, note=np.array("made"))
    return place


FORMS: dict[str, tuple[Callable[[Path], Path], str, str, set[str]]] = {
    "prompts": (prompts, "table", "text", PAIR),
    "messages": (messages, "table", "text", PAIR),
    "sharegpt": (sharegpt, "table", "text", PAIR),
    "alpaca": (alpaca, "table", "text", PAIR),
    "translation": (translation, "table", "text", PAIR),
    "labelled": (labelled, "table", "text", LABELLED),
    "programs": (programs, "table", "code", TEXT),
    "modules": (modules, "files", "code", TEXT),
    "guessed": (guessed, "table", "text", PAIR),
    "arrow": (arrow, "table", "text", TEXT),
    "captions": (captions, "table", "image", CAPTIONED),
    "embedded": (embedded, "table", "image", CAPTIONED),
    "by name": (by_name, "table", "image", CAPTIONED),
    "several captions": (several_captions, "files", "image", CAPTIONED),
    "masked": (masked, "files", "image", PAIR),
    "book": (book, "text", "text", TEXT),
    "aligned": (aligned, "pairs", "text", PAIR),
    "zipped": (zipped, "files", "image", LABELLED),
    "shards": (shards, "tar", "image", CAPTIONED),
    "texts in shards": (texts_in_shards, "tar", "text", LABELLED),
    "drawn from": (drawn_from, "pairs", "image", PAIR),
    "arrays": (arrays, "arrays", "image", LABELLED),
    "in two folders": (in_two_folders, "pairs", "text", PAIR),
}
"""What makes a form, the reader that takes it, the kind of its content, and the columns besides."""
