import io
import json

import pytest
import yaml

from serinus.cli.output import FORMATS, print_data
from serinus.cli.terminal import console_on

DATA = {"name": "flight-delay", "message": "[bold]zoë[/bold] " + "long " * 100, "weights": [20, 50]}


@pytest.mark.parametrize("output", FORMATS)
def test_another_program_reads_what_was_written(output: str) -> None:
    written = io.StringIO()

    print_data(console_on(written, color=True), DATA, output)

    read = json.loads if output == "json" else yaml.safe_load
    assert read(written.getvalue()) == DATA
