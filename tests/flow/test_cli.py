"""The command line: words, statuses, where the output goes, and output that machines read."""

import json
import os
import pty
import re

import pytest
import rig
from rig import BINARY, DONE, PROBLEMS, UNUSABLE, USAGE, domains, tenant
from golden import GOLDEN

COMMANDS = ["serve", "check", "policy", "records", "status", "cert", "forget"]


@pytest.fixture
def served(site):
    site.certify("example.com")
    site.write(domains(tenant(), tenant("bare.example")))
    with site.serve() as server:
        yield server


# --- help, version, usage ----------------------------------------


def test_help_names_every_command_and_the_statuses():
    finished = rig.run(BINARY, "--help")
    assert finished.status == DONE and not finished.err
    text = finished.out.decode()
    assert all(re.search(rf"^\s+(\S+ )?{word}\b", text, re.M) for word in COMMANDS), text


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command):
    finished = rig.run(BINARY, command, "--help")
    assert finished.status == DONE and not finished.err
    assert command in finished.out.decode()


@pytest.mark.parametrize("argv", [["--version"], *([command, "--version"] for command in COMMANDS)])
def test_version_is_one_line(argv):
    finished = rig.run(BINARY, *argv)
    assert finished.status == DONE and not finished.err
    assert re.fullmatch(r"mta-sts-server [0-9][^\n]*\n", finished.out.decode())


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["frobnicate"],
        ["--frobnicate"],
        ["-c"],
        ["check", "--frobnicate"],
        ["check", "too", "many"],
        ["policy"],
        ["policy", "a.example", "b.example"],
        ["records", "--format"],
        ["records", "--format", "xml"],
        ["serve", "now"],
        ["serve", "--listen"],
        ["cert"],
        ["forget"],
        ["cert", "frobnicate"],
        ["status", "a.example", "b.example"],
        ["-c", "x", "-c"],
        ["Check"],
        [""],
        ["--json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(argv):
    """A sentence on standard error, nothing on standard output."""
    finished = rig.run(BINARY, *argv)
    assert finished.status == USAGE, finished.err
    assert finished.out == b"" and finished.err.strip()


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "example.com:443", ""])
def test_a_listen_option_that_is_no_address_is_status_2(site, address):
    site.write(domains(tenant()))
    finished = site.run("serve", "--listen", address)
    assert finished.status == USAGE, finished.err
    assert not address or address in finished.err


def test_a_mistyped_command_is_named(site):
    finished = site.run("chekc")
    assert finished.status == USAGE and "chekc" in finished.err


@pytest.mark.parametrize(
    "argv",
    [["check"], ["serve"], ["policy", "example.com"], ["records"], ["status"], ["cert", "list"]],
    ids=" ".join,
)
def test_a_missing_configuration_is_status_3(folder, argv):
    """With its name, whatever the command."""
    finished = rig.run(BINARY, "-c", folder / "nowhere.yaml", *argv)
    assert finished.status == UNUSABLE
    assert "nowhere.yaml" in finished.err


def test_a_configuration_that_is_a_folder_is_status_3(folder):
    finished = rig.run(BINARY, "-c", folder, "check")
    assert finished.status == UNUSABLE and str(folder) in finished.err


@pytest.mark.parametrize(
    "argv",
    [
        ["-c", "{}", "policy", "example.com"],
        ["policy", "-c", "{}", "example.com"],
        ["policy", "example.com", "-c", "{}"],
        ["-c{}", "policy", "example.com"],
    ],
    ids=["before", "after", "last", "joined"],
)
def test_the_file_is_taken_anywhere(site, argv):
    site.write(domains(tenant()))
    finished = rig.run(BINARY, *(word.format(site.yaml) for word in argv))
    assert finished.status == DONE and finished.out == GOLDEN["G1"][0]


def test_a_relative_file_is_taken_from_here(site):
    site.write(domains(tenant()))
    finished = rig.run(BINARY, "-c", site.yaml.name, "policy", "example.com", cwd=site.folder)
    assert finished.status == DONE and finished.out == GOLDEN["G1"][0]


# --- results and messages ----------------------------------------


def test_check_of_a_good_file_is_silent_on_standard_output(site):
    """Results to stdout, messages to stderr; warnings are allowed."""
    site.write(domains(tenant(tls_rpt="mailto:a@example.com")))
    finished = site.run("check")
    assert finished.status == DONE and finished.out == b"" and finished.err.strip()


def test_policy_of_an_unknown_domain_says_so(site):
    site.write(domains(tenant()))
    finished = site.run("policy", "nowhere.example")
    assert finished.status == PROBLEMS and finished.out == b"" and "nowhere.example" in finished.err


@pytest.mark.parametrize("name", ["not a domain", "..", "a" * 300, "", "\u202e"])
def test_policy_of_what_is_no_domain(site, name):
    site.write(domains(tenant()))
    finished = site.run("policy", name)
    assert finished.status in (PROBLEMS, USAGE) and finished.out == b"" and finished.err.strip()


def test_policy_shows_what_is_served_not_what_is_written(served):
    """A running server that has refused a change: `policy` prints what senders get."""
    before = served.site.policy()
    served.change(domains(tenant(mode="Enforce"), tenant("bare.example")))
    assert served.site.policy() == before == served.body()


def test_status_shows_domains_ids_and_why_something_is_withheld(served):
    finished = served.site.run("status")
    assert finished.status in (DONE, PROBLEMS)
    text = finished.out.decode()
    assert "example.com" in text and served.site.sts_id() in text
    assert re.search(r"bare\.example.*(withheld|no certificate)", text)
    one = served.site.run("status", "example.com").out.decode()
    assert "example.com" in one and "bare.example" not in one


def test_status_of_an_unknown_domain_says_so(served):
    finished = served.site.run("status", "nowhere.example")
    assert finished.status == PROBLEMS and "nowhere.example" in finished.err


def test_status_without_a_server_says_so(site):
    site.write(domains(tenant()))
    finished = site.run("status")
    assert finished.status == PROBLEMS and finished.out == b"" and str(site.state) in finished.err
    site.certify("example.com")
    with site.serve():
        pass
    finished = site.run("status")
    assert "running" in finished.out.decode() + finished.err


@pytest.mark.parametrize(
    "argv",
    [
        ["status", "--json"],
        ["status", "example.com", "--json"],
        ["cert", "list", "--json"],
        ["check", "--json"],
        ["records", "--json"],
        ["records", "--all", "--json"],
    ],
    ids=" ".join,
)
def test_json_parses_and_is_all_there_is(served, argv):
    """One value, UTF-8, with a final line end."""
    finished = served.site.run(*argv)
    assert finished.status in (DONE, PROBLEMS)
    text = finished.out.decode("utf-8")
    assert text.endswith("\n")
    value = json.loads(text)
    assert isinstance(value, (dict, list)) and value


def test_check_json_has_the_documented_shape(site):
    site.write(domains(tenant(mode="Enforce"), tenant("b.example", max_age="3600")))
    entries = site.run("check", "--json").json()
    assert isinstance(entries, list) and len(entries) >= 2
    for entry in entries:
        assert set(entry) == {"severity", "code", "file", "line", "column", "domain", "text", "hint"}
        assert entry["severity"] in ("error", "warning", "info")
        assert isinstance(entry["line"], int) and isinstance(entry["column"], int)
    assert {entry["domain"] for entry in entries} == {"example.com", "b.example"}


def test_check_json_of_a_good_file_is_an_empty_list(site):
    site.write(domains(tenant(tls_rpt="mailto:a@example.com")))
    assert site.run("check", "--json").json() == []


def test_json_escapes_what_comes_from_outside(site):
    """Quotes, backslashes, control characters and Unicode of the YAML come back as they were or escaped."""
    site.write(domains(tenant(mode=r'"a\"b\\c\u0001ü"')))
    entry = next(e for e in site.run("check", "--json").json() if e["severity"] == "error")
    assert entry["code"] in ("E01", "E06")


def test_cert_list_shows_names_and_expiry(served):
    finished = served.site.run("cert", "list")
    assert finished.status == DONE
    assert re.search(r"mta-sts\.example\.com", finished.out.decode())
    assert re.search(r"20\d\d-\d\d-\d\d", finished.out.decode())
    entries = served.site.run("cert", "list", "--json").json()
    assert "mta-sts.example.com" in json.dumps(entries)
    assert "PRIVATE" not in json.dumps(entries)


def test_commands_work_beside_a_running_server_and_without(site):
    """They read the same store."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve():
        during = [
            site.run(*argv).status
            for argv in (["check"], ["policy", "example.com"], ["status"], ["cert", "list"])
        ]
    after = [site.run(*argv).status for argv in (["check"], ["policy", "example.com"], ["cert", "list"])]
    assert during == [DONE] * 4 and after == [DONE] * 3


# --- colour ----------------------------------------


@pytest.mark.parametrize(
    "argv", [["check"], ["status"], ["records", "--all"], ["cert", "list"], ["--help"]], ids=" ".join
)
def test_no_colour_when_it_is_not_a_terminal(served, argv):
    """No escape sequence in either output, whatever TERM says."""
    served.change(domains(tenant(mode="Enforce"), tenant("bare.example", max_age="3600")))
    finished = served.site.run(*argv, env=rig.environment(TERM="xterm-256color", COLORTERM="truecolor"))
    assert b"\x1b" not in finished.out and "\x1b" not in finished.err


def test_on_a_terminal_the_text_is_the_same(site):
    """Colour or not: without the escape sequences it reads as in a pipe."""
    site.write(domains(tenant(mode="Enforce")))
    primary, secondary = pty.openpty()
    plain = site.run("check").out.decode()
    site.run("check", stdout=secondary, env=rig.environment(TERM="xterm"))
    os.close(secondary)
    shown = os.read(primary, 65536).decode().replace("\r\n", "\n")
    os.close(primary)
    assert re.sub(r"\x1b\[[0-9;]*[mK]", "", shown) == plain


# --- hostile text ----------------------------------------


def test_no_control_character_of_the_yaml_reaches_the_terminal(site):
    """Escape sequences in names, values and keys are shown, not performed."""
    site.write('domains:\n  "ex\\e[31mample.com":\n    mode: "\\e]0;x\\a"\n  b.example: {"ke\\ey": 1}\n')
    finished = site.run("check")
    assert finished.status == PROBLEMS
    for output in (finished.out, finished.err.encode()):
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", output), output
