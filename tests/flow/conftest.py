"""Fixtures: one folder, one site per test; on failure every log and command is printed."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
pytest.register_assert_rewrite("rig", "wire", "golden")

import pki  # noqa: E402
import rig  # noqa: E402


def pytest_sessionstart():
    if not rig.BINARY.exists():
        pytest.exit(f"{rig.BINARY} is not there: run make, or set MTA_STS_SERVER", returncode=4)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.failed:
        report.sections.append(("commands and logs", rig.BOOK.text()))


@pytest.fixture(autouse=True)
def fresh_book():
    """Only what ran in this test is printed when it fails; servers of a whole module stay in the book."""
    rig.BOOK.commands.clear()
    yield
    rig.BOOK.logs[:] = [log for log in rig.BOOK.logs if log.is_open]


@pytest.fixture
def folder():
    """A folder of the test's own that other users may enter."""
    path = Path(tempfile.mkdtemp(prefix="mta-sts-flow-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def module_folder():
    path = Path(tempfile.mkdtemp(prefix="mta-sts-flow-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority():
    path = Path(tempfile.mkdtemp(prefix="mta-sts-flow-ca-"))
    path.chmod(0o755)
    yield pki.Authority(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def site(folder, authority):
    return rig.Site(folder, authority)
