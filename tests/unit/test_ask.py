"""What `lintel check` and `lintel batch` say about words that they cannot use: never the words themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.ask import batch, check

NUMBER, NAME = "010101194001010019", "样本甲"
HEADER = "document_type,number,issuing_country,name,product,service_date,booking_reference,flight_kind"
SETTINGS = {"LINTEL_ADDRESS": "127.0.0.1:1", "LINTEL_KEY": "test_key", "LINTEL_INSECURE": "1"}
SHIFTED = {
    "number as date": f"RESIDENT_ID,,,,air,{NUMBER},B-1,SCHEDULED",
    "name as date": f"RESIDENT_ID,,,,air,{NAME},B-1,SCHEDULED",
    "number as product": f"RESIDENT_ID,,,,{NUMBER},2026-05-05,B-1,SCHEDULED",
    "number as type": f"{NUMBER},,,,air,2026-05-05,B-1,SCHEDULED",
    "number as reference": f"RESIDENT_ID,,,,air,5 May,{NUMBER},SCHEDULED",
    "a cell too many": f"RESIDENT_ID,x,,{NAME},air,2026-05-05,B-1,SCHEDULED,{NUMBER}",
    "a cell too few": f"RESIDENT_ID,,air,2026-05-05,{NUMBER},,{NAME}",
}


@pytest.mark.parametrize("row", SHIFTED.values(), ids=SHIFTED.keys())
def test_row_whose_cells_have_shifted_is_refused_without_its_cells(row: str, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(f"{HEADER}\n{row}\n")
    said = CliRunner().invoke(batch, [str(file)], env=SETTINGS)
    assert (said.exit_code, said.output.count("\n")) == (4, 2)
    assert NUMBER not in said.output
    assert NAME not in said.output


def test_number_on_the_command_line_is_not_repeated() -> None:
    said = CliRunner().invoke(check, ["air", NUMBER], env=SETTINGS)
    assert said.exit_code == 2
    assert NUMBER not in said.output
