"""`chartwire match A.csv B.csv` on files as they come."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from daemon.__main__ import main

HEADER = "id,first_name,middle_name,last_name,suffix,birth_date,sex,address1,address2,city,state,zip,home_phone,mobile_phone,work_phone,email,ssn"
A = (
    HEADER,
    "a1,Adelaide,Ruth,Wennerholm,,1985-12-10,F,1207 Peachtree Street,,Augusta,GA,30904,706-722-4418,,,queen@mail.com,",
    "a2,Theo,,Wennerholm,,2012-01-09,M,1207 Peachtree Street,,Augusta,GA,30904,706-722-4418,,,,",
    "a3,Xenia,,Olatunji,,1961-03-27,F,5 Elm Court,,Thomson,GA,30824,,,,,",
)
B = (
    HEADER,
    "b1,ADELAIDE,R,Wenerholm,,12/10/1985,Female,1207 Peachtree St,,Augusta,GA,30904-1234,,(706) 722-4418,,,",
    "b2,Tilda,,Wennerholm,,1/9/2012,F,1207 Peachtree St,,Augusta,GA,30904,706-722-4418,,,,",
)


@pytest.fixture
def files(tmp_path: Path):
    def write(a: bytes | str = "\n".join(A), b: bytes | str = "\n".join(B)) -> list[str]:
        names = []
        for name, text in (("A.csv", a), ("B.csv", b)):
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
            names.append(str(tmp_path / name))
        return names

    return write


def matched(files: list[str], out: Path) -> dict:
    assert main(["match", *files, "--json", str(out)]) == 0
    return json.loads(out.read_text())


def test_the_answer_has_ids_as_given(files, tmp_path: Path, capsys):
    answer = matched(files(), tmp_path / "out.json")
    assert [pair[:2] for pair in answer["certain"]] == [["a1", "b1"]]
    assert answer["certain"][0][2] > 0.999
    ((left, right, probability, differences),) = answer["candidates"]
    assert (left, right) == ("a2", "b2")
    assert 0 < probability <= 1
    assert {"first name: other", "sex: other", "twins?"} <= set(differences)
    assert (answer["only_a"], answer["only_b"]) == (["a3"], [])
    told = capsys.readouterr()
    assert "certain: 1 pairs" in told.out
    assert "twins?" in told.out
    assert "Wenner" not in told.out + told.err


def test_only_its_owner_may_read_the_answer(files, tmp_path: Path):
    out = tmp_path / "out.json"
    out.write_text("an older one")
    out.chmod(0o644)
    matched(files(), out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_dash_is_standard_output_and_nothing_else_is_there(files, capsys):
    assert main(["match", *files(), "--json", "-"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["only_a"] == ["a3"]
    assert "certain: 1 pairs" in told.err


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n") + "\r\n",
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: "\ufeff" + text.replace(",", ";").replace("\n", "\r\n\r\n"),
        lambda text: text.replace("first_name", '"First Name"').replace(",id", ", ID"),
    ],
    ids=["BOM", "CRLF", "semicolon", "tab", "all of it", "header as people write it"],
)
def test_files_as_spreadsheets_write_them(files, tmp_path: Path, change):
    plain = matched(files(), tmp_path / "plain.json")
    assert matched(files(change("\n".join(A)), change("\n".join(B))), tmp_path / "out.json") == plain


def test_problems_are_named_with_file_and_line_and_counted(files, tmp_path: Path, capsys):
    a = [A[0] + ",shoe_size", *(line + ",38" for line in A[1:])]
    a += [
        "a1,Doris,,Double,,1950-02-30,,,,,,,,,,,,",
        ",Nobody,,Noid,,,,,,,,,,,,,,",
        "a7,Una,,Readable,,32/1/1990,,,,,,,,,,,,",
    ]
    a += ["a8,Una,,Quoted,,1990.1.1,,,,,,,,,,,,", "a9,Too,,Many,,,,,,,,,,,,,,,,cells"]
    answer = matched(files("\n".join(a)), tmp_path / "out.json")
    told = capsys.readouterr().err
    path = tmp_path / "A.csv"
    for line in (
        f"{path}:1: unknown column shoe_size, not used",
        f"{path}:5: duplicate id, left out",
        f"{path}:6: empty id, left out",
        f"{path}:7: unreadable birth_date, not used",
        f"{path}:8: unreadable birth_date, not used",
        f"{path}: 2 times: unreadable birth_date, not used",
        f"{path}:9: more cells than columns, left out",
    ):
        assert line in told.splitlines()
    assert answer["only_a"] == ["a3", "a7", "a8"]
    assert not any(value in told for value in ("1990.1.1", "Readable", "Doris"))


def test_a_missing_column_is_not_used(files, tmp_path: Path):
    few = "id,last_name,first_name,birth_date,home_phone"
    a, b = f"{few}\n1,Wennerholm,Adelaide,1985-12-10,7067224418", f"{few}\n9,Wennerholm,Adelaide,1985-12-10,7067224418"
    assert [pair[:2] for pair in matched(files(a, b), tmp_path / "out.json")["certain"]] == [["1", "9"]]


def test_foreign_places_are_text(files, tmp_path: Path):
    columns = "id,first_name,last_name,birth_date,address1,city,state,zip"
    a = f"{columns}\n1,Adelaide,Wennerholm,1985-12-10,Storgatan 12,Göteborg,Västra Götaland,SE-411 24"
    b = f"{columns}\n2,Adelaide,Wennerholm,12/10/1985,Storgatan 12,GOTEBORG,Vastra Gotaland,se-411 24"
    assert [pair[:2] for pair in matched(files(a, b), tmp_path / "out.json")["certain"]] == [["1", "2"]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", ":1: no column id"),
        (b"first_name,last_name\nAda,Wennerholm", ":1: no column id"),
        (b"id,phone\n1,2", ":1: no column first_name or last_name"),
        (b"id,first_name,id\n1,Ada,2", ":1: more than one column id"),
        ("id,last_name\n1,Müller".encode("latin-1"), ": is not UTF-8"),
        (b'id,last_name\n1,"Wenn', ": is not CSV"),
    ],
    ids=["empty", "no header", "no names", "twice", "Latin-1", "open quote"],
)
def test_an_unusable_file_leaves_no_answer(files, tmp_path: Path, capsys, content: bytes, why: str):
    out = tmp_path / "out.json"
    assert main(["match", *files(b=content), "--json", str(out)]) == 1
    assert f"{tmp_path / 'B.csv'}{why}" in capsys.readouterr().err
    assert not out.exists()


def test_a_file_that_is_not_there(files, tmp_path: Path, capsys):
    assert main(["match", files()[0], str(tmp_path / "C.csv"), "--json", str(tmp_path / "out.json")]) == 1
    assert "C.csv: cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_an_answer_that_cannot_be_written(files, tmp_path: Path, capsys):
    assert main(["match", *files(), "--json", str(tmp_path / "nowhere" / "out.json")]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["the file", "another way to it", "a link"])
@pytest.mark.parametrize("which", [0, 1])
def test_an_export_is_never_overwritten(files, tmp_path: Path, capsys, how: str, which: int):
    lists = files()
    output = Path(lists[which])
    before = output.read_bytes()
    if how == "another way to it":
        (tmp_path / "beside").mkdir()
        output = tmp_path / "beside" / ".." / output.name
    elif how == "a link":
        output = tmp_path / "link.json"
        output.symlink_to(lists[which])
    assert main(["match", *lists, "--json", str(output)]) == 1
    assert Path(lists[which]).read_bytes() == before
    assert "would overwrite it" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["", " "])
def test_an_output_without_a_name_is_refused(files, capsys, output: str):
    assert main(["match", *files(), "--json", output]) == 1
    assert "names no file" in capsys.readouterr().err


def test_an_unusable_file_leaves_no_answer_of_before(files, tmp_path: Path):
    out = tmp_path / "out.json"
    matched(files(), out)
    assert main(["match", *files(a="name\nAda\n"), "--json", str(out)]) == 1
    assert not out.exists()


def test_a_line_that_names_the_separator_is_no_header(files, tmp_path: Path, capsys):
    a = "sep=;\r\n" + "\r\n".join(line.replace(",", ";") for line in (*A, A[1]))
    answer = matched(files(a=a), tmp_path / "out.json")
    assert [pair[:2] for pair in answer["certain"]] == [["a1", "b1"]]
    assert "A.csv:6: duplicate id" in capsys.readouterr().err


def test_an_id_comes_back_as_it_stands_in_the_file(files, tmp_path: Path):
    a = 'id,last_name,first_name,birth_date,home_phone\n" x1 ",Wennerholm,Adelaide,1985-12-10,7067224418'
    b = a.replace(" x1 ", "y1\t")
    assert [pair[:2] for pair in matched(files(a, b), tmp_path / "out.json")["certain"]] == [[" x1 ", "y1\t"]]
