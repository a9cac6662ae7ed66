"""Mistakes in the YAML: found, named with their place, kept from harming others (conformance.md 4, A-C)."""

import os
import re
import sys
import time

import pytest
import rig
from rig import DONE, PROBLEMS, UNUSABLE, domains, tenant
from golden import assert_golden

LINE = re.compile(
    r"(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): (?P<severity>error|warning|info) "
    r"(?P<code>[EWI]\d\d): (?P<text>.+)"
)


def test_A_C1_an_unquoted_wildcard_says_quote_it(site):
    """libyaml takes it for an alias; the message names the line and what to do."""
    site.write(domains(tenant(mx="[*.example.com]")))
    check = site.check()
    assert check.status == PROBLEMS
    assert check.errors[0].code == "E12"
    assert check.errors[0].line == site.place_of("*.example.com")[0]
    assert "quote the wildcard" in check.errors[0].hint and '"*.example.com"' in check.errors[0].hint


@pytest.mark.parametrize(
    "mx",
    [
        r'["a.example\r\nmode: none"]',
        r'["a.example\nmode: none"]',
        r'["a\0.example"]',
        r'["a.example\t"]',
        r'["a.example\x7f"]',
        r'["\u0085a.example"]',
        '\n      - |\n        a.example\n        mode: none',
    ],
    ids=["crlf", "lf", "nul", "tab", "del", "nel", "block"],
)
def test_A_C2_nothing_can_be_injected_into_a_policy(site, mx):
    """Control characters in a value refuse the tenant; no second `mode` line comes out."""
    site.write(domains(tenant(mx=mx), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS
    assert check.errors[0].code in ("E06", "E04") and check.errors[0].domain == "example.com"
    refused = site.run("policy", "example.com")
    assert refused.status == PROBLEMS and refused.out == b""
    assert_golden("G1", site.policy("good.example"))


@pytest.mark.parametrize("key", ["mode", "max_age", "id", "tls_rpt", "policy", "cert"])
def test_A_C2_control_characters_are_refused_in_every_key(site, key):
    site.write(domains(tenant(**{key: r'"enforce\r\nmode: none"'}), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS and check.errors
    assert site.run("policy", "example.com").out == b""
    assert_golden("G1", site.policy("good.example"))
    printed = site.run("check").out
    assert b"\r" not in printed and b"\0" not in printed


@pytest.mark.parametrize(
    "wrong, right",
    [("max-age", "max_age"), ("mxs", "mx"), ("nmx", "mx"), ("Mode", "mode"), ("tls-rpt", "tls_rpt")],
)
def test_A_C3_an_unknown_key_suggests_the_right_one(site, wrong, right):
    site.write(domains(tenant(**{wrong: "1"}), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E11"]
    assert (check.errors[0].line, check.errors[0].column) == site.place_of(f"{wrong}:")
    assert f"`{right}`" in check.errors[0].hint
    assert site.run("policy", "example.com").status == PROBLEMS
    assert_golden("G1", site.policy("good.example"))


def test_A_C4_a_key_written_twice_is_refused(site):
    """Neither of the two counts."""
    site.write(domains(tenant() + "    mode: testing\n", tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E12"]
    assert check.errors[0].line == site.place_of("mode: testing")[0]
    assert "written twice" in check.errors[0].text
    assert site.run("policy", "example.com").status == PROBLEMS
    assert_golden("G1", site.policy("good.example"))


@pytest.mark.parametrize(
    "body, code",
    [
        ("x: {mode: enforce}\n" + domains(tenant()), "E11"),
        (
            domains("  example.com:\n    <<: {mode: enforce}\n    max_age: 604800\n    mx: [a.example]\n"),
            "E12",
        ),
        (domains("  example.com: &a {mode: enforce, max_age: 604800, mx: [a.example]}\n"), "E12"),
        (domains(tenant()) + "---\n" + domains(tenant("b.example")), "E12"),
        (domains(tenant(mode="!!str enforce")), "E12"),
    ],
    ids=["unknown_top_key", "merge_key", "anchor", "second_document", "tag"],
)
def test_A_C4_yaml_beyond_the_plain_is_refused(site, body, code):
    check = site.write(body).check()
    assert check.status == PROBLEMS
    assert code in [p.code for p in check.errors]


def test_A_C5_a_domain_listed_twice_is_said_loudly(site):
    """Written in two ways it is still the same; the first one counts."""
    site.write(domains(tenant("example.com"), tenant("EXAMPLE.com.", mode="testing")))
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E07"]
    assert (check.errors[0].line, check.errors[0].column) == site.place_of("EXAMPLE.com.")
    assert_golden("G1", site.policy("example.com"))


def test_A_C5_a_domain_in_two_files_is_said_loudly(site):
    """Both places are named."""
    (site.folder / "more.yaml").write_text(domains(tenant("Example.com", mode="testing")))
    site.write(domains(tenant()) + "include: [more.yaml]\n")
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E07"]
    said = check.errors[0].file + " " + check.errors[0].text
    assert "more.yaml" in said and "mta-sts-server.yaml" in said


@pytest.mark.parametrize(
    "name",
    [
        "mta-sts.example.com",
        "_mta-sts.example.com",
        "_smtp._tls.example.com",
        '"*.example.com"',
        "example",
        "exa mple.com",
        "192.0.2.1",
        '"[192.0.2.1]"',
        "example..com",
        '""',
    ],
)
def test_A_C6_names_that_are_no_mail_domains_are_refused(site, name):
    site.write(domains(tenant(name), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E07"]
    assert check.errors[0].line == site.place_of(f"  {name}:")[0]
    assert_golden("G1", site.policy("good.example"))


def test_A_C6_a_policy_host_says_what_was_meant(site):
    check = site.write(domains(tenant("mta-sts.example.com"))).check()
    assert "mail domain itself" in check.errors[0].hint


@pytest.mark.parametrize(
    "text",
    ["", "# nothing but a comment\n", "---\n", "[]\n", "just text\n", "\ufeff", "\n\n"],
    ids=["empty", "comment", "document_mark", "list", "text", "bom", "blank"],
)
def test_A_C7_a_file_without_anything_is_an_error(site, text):
    """Half a file must not look like the wish to have no tenants."""
    site.yaml.write_text(text)
    check = site.check()
    assert check.status == PROBLEMS and check.errors


@pytest.mark.parametrize("section", ["domains:\n", "domains: []\n", "domains: ''\n", "domains: ~\n"])
def test_A_C7_a_section_without_value_is_an_error(site, section):
    check = site.write(section).check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E16"]
    assert check.errors[0].line == site.place_of("domains:")[0]
    assert "{}" in check.errors[0].hint


def test_A_C7_an_empty_mapping_means_no_tenants(site):
    check = site.write("domains: {}\n").check()
    assert check.status == DONE and not check.errors


def test_A_C7_a_missing_file_is_status_3(site):
    """It is named, and what to do is said."""
    finished = site.run("check")
    assert finished.status == UNUSABLE
    assert str(site.yaml) in finished.err


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b"domains: {\n",
        b"\tdomains: {}\n",
        b"domains: \"\n",
        b"a: b: c\n",
        b"domains:\n  example.com: {mode: \xc3\x28}\n",
        b"\0",
        b"{{{{{{[[[[[[",
    ],
    ids=["utf16", "open", "tab", "quote", "colons", "bad_utf8", "nul", "braces"],
)
def test_A_C7_what_is_no_yaml_is_an_error_with_a_place(site, text):
    site.yaml.write_bytes(text)
    check = site.check()
    assert check.status == PROBLEMS and check.errors
    assert check.errors[0].line >= 1 and check.errors[0].column >= 1


def test_deeply_nested_yaml_is_refused(site):
    """No stack is exhausted, and no minute spent: one tenant's file must not stop everybody's changes."""
    for opener in "[{":
        site.yaml.write_text("domains: " + opener * 100000 + "\n")
        check = rig.Check(site.run("check", "--json", timeout_s=5))
        assert check.status == PROBLEMS and check.errors


# --- how problems look ----------------------------------------


def test_all_problems_are_shown_in_one_go_in_the_order_of_the_file(site):
    """file:line:column: error|warning|info CODE: text (hint), one per line; the summary on standard error."""
    site.write(
        domains(
            tenant("a.example", mode="Enforce", max_age="604800s"),
            tenant("b.example", mx='["a b"]'),
            tenant("c.example", max_age="3600"),
            tenant("d.example", nmx="[a.example]"),
        )
    )
    finished = site.run("check")
    assert finished.status == PROBLEMS
    matches = [LINE.fullmatch(line) for line in finished.out.decode().splitlines()]
    assert matches and all(matches), finished.out
    assert {m["file"] for m in matches} == {str(site.yaml)}
    places = [(int(m["line"]), int(m["column"])) for m in matches]
    assert places == sorted(places)
    errors = [m["code"] for m in matches if m["severity"] == "error"]
    assert errors == ["E01", "E02", "E04", "E11"]
    assert "W01" in [m["code"] for m in matches]
    assert re.search(r"\b4\b", finished.err)  # the count of errors in the summary


def test_the_plain_and_the_json_form_say_the_same(site):
    site.write(domains(tenant("a.example", mode="Enforce"), tenant("c.example", max_age="3600")))
    plain = [LINE.fullmatch(line) for line in site.run("check").out.decode().splitlines()]
    check = site.check()
    assert len(plain) == len(check.problems) >= 2
    for match, problem in zip(plain, check.problems):
        assert (int(match["line"]), int(match["column"]), match["severity"], match["code"]) == (
            problem.line,
            problem.column,
            problem.severity,
            problem.code,
        )
        assert match["text"] == problem.text + (f" ({problem.hint})" if problem.hint else "")


def test_a_shared_policys_mistake_is_reported_once(site):
    """Not once for each of its tenants."""
    site.write(
        "policies:\n  standard: {mode: enforce, max_age: 3600, mx: [mail.example.com]}\n"
        + domains(*(f"  t{n}.example: standard\n" for n in range(50)))
    )
    assert len(site.check().find("W01")) == 1


# --- many tenants ----------------------------------------


def test_A_C8_ten_thousand_tenants(site):
    """`check` in 2 s, below 100 MB, with the same output every time."""
    site.write(
        domains(
            *(
                tenant(f"t{n:05d}.example", mode="Enforce" if n % 100 == 0 else "enforce")
                for n in range(10000)
            )
        )
    )
    start = time.monotonic()
    first, peak_kib = run_measured(site)
    elapsed_s = time.monotonic() - start
    second = site.run("check")
    assert first == second.out
    lines = [int(LINE.fullmatch(line)["line"]) for line in first.decode().splitlines()]
    assert lines == sorted(lines)
    assert first.count(b" error E01: ") == 100
    assert elapsed_s < 2 * rig.patience()
    if not rig.is_sanitized():
        assert peak_kib < 100 * 1024


# Small, because what a process had before exec counts as its own, and pytest's is more than what is measured.
_MEASURE = """
import os, sys
pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_measured(site):
    """Output of `check` and its peak resident memory in KiB."""
    finished = rig.run(sys.executable, "-c", _MEASURE, rig.BINARY, "-c", site.yaml, "check")
    assert finished.status == PROBLEMS
    return finished.out, int(finished.err.splitlines()[-1])


def test_A_C9_one_bad_tenant_among_a_hundred(site):
    """99 are served, one is not, `check` says so."""
    names = [f"t{n:02d}.example" for n in range(100)]
    site.certify(*names)
    site.write(
        domains(
            *(
                tenant(name, mx="[10 mail.example.com]" if name == "t42.example" else "[mail.example.com]")
                for name in names
            )
        )
    )
    check = site.check()
    assert check.status == PROBLEMS and [p.domain for p in check.errors] == ["t42.example"]
    with site.serve() as server:
        for name in names:
            assert server.serves(name) == (name != "t42.example")
        assert_golden("G1", server.body("t41.example"))
        assert server.log.events("config.error", code="E04")


def test_an_include_that_is_no_file_is_refused(site):
    """A folder, a pipe without a writer, a device: said, and nothing waits for them."""
    (site.folder / "folder.yaml").mkdir()
    os.mkfifo(site.folder / "pipe.yaml")
    (site.folder / "zero.yaml").symlink_to("/dev/zero")
    site.write(domains(tenant()) + "include: [folder.yaml, pipe.yaml, zero.yaml]\n")
    check = rig.Check(site.run("check", "--json", timeout_s=5))
    assert check.status == PROBLEMS
    assert {p.file for p in check.errors} == {
        str(site.folder / f"{n}.yaml") for n in ("folder", "pipe", "zero")
    }
    assert_golden("G1", site.policy())


def test_an_include_that_names_no_file_is_said(site):
    """A pattern may match nothing; a file or a folder that is named may not be missing."""
    (site.folder / "empty.d").mkdir()
    check = site.write(domains(tenant()) + "include: [empty.d/*.yaml]\n").check()
    assert check.status == DONE
    for missing in ("missing.yaml", "missing.d/*.yaml"):
        check = site.write(domains(tenant()) + f"include: [{missing}]\n").check()
        assert check.status == PROBLEMS and "missing" in check.errors[0].text + check.errors[0].file


def test_a_broken_include_refuses_only_that_file(site):
    """A syntax error in one file leaves the others as they are."""
    (site.folder / "a.yaml").write_text("domains: {a.example: [\n")
    (site.folder / "b.yaml").write_text(domains(tenant("b.example")))
    site.write(domains(tenant()) + "include: [a.yaml, b.yaml]\n")
    check = site.check()
    assert check.status == PROBLEMS and {p.file for p in check.errors} == {str(site.folder / "a.yaml")}
    assert_golden("G1", site.policy("example.com"))
    assert_golden("G1", site.policy("b.example"))
