"""The bytes of a policy, and what is refused before it could become one (conformance.md 4, A-P)."""

import re
import time

import pytest
from golden import assert_golden
from rig import DONE, PROBLEMS, Check, domains, environment, tenant

G2_MX = '[mx1.example.net, mx2.example.net, "*.mail.example.org"]'


def only_tenant(site, name="example.com", **changes):
    return site.write(domains(tenant(name, **changes)))


def assert_refused(site, code, where, **changes):
    """The tenant is refused with that code at that place; the one beside it is not, and `check` says 1."""
    site.write(domains(tenant(**changes), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS
    assert [p.code for p in check.errors] == [code], check.errors
    problem = check.errors[0]
    assert problem.domain == "example.com"
    assert problem.file == str(site.yaml)
    assert (problem.line, problem.column) == where(site)
    assert problem.text
    refused = site.run("policy", "example.com")
    assert refused.status == PROBLEMS and refused.out == b"" and "example.com" in refused.err
    assert_golden("G1", site.policy("good.example"))
    return problem


def value_of(key):
    """Place of the value of the first such key."""

    def find(site):
        for number, line in enumerate(site.yaml.read_text().split("\n"), 1):
            if line.strip().startswith(f"{key}:"):
                rest = line.split(":", 1)[1]
                return number, line.index(":") + 1 + len(rest) - len(rest.lstrip()) + 1
        raise AssertionError(key)

    return find


def item_of(key):
    """Place of the first item of a list in brackets."""

    def find(site):
        line, column = value_of(key)(site)
        return line, column + 1

    return find


def tenant_line(site):
    return site.place_of("example.com:")


# --- golden bodies ----------------------------------------


@pytest.mark.parametrize(
    "changes, golden",
    [
        pytest.param({}, "G1", id="A-P1"),
        pytest.param({"mode": "testing", "max_age": "86400", "mx": G2_MX}, "G2", id="A-P3-order_is_kept"),
        pytest.param({"mode": "none", "max_age": "86400"}, "G3", id="A-P4-mx_also_in_none"),
        pytest.param({"mx": "[mx.xn--bcher-kva.example]", "max_age": "2592000"}, "G4", id="A-P14"),
        pytest.param({"max_age": "31557600"}, "G5", id="A-P6"),
    ],
)
def test_A_P1_A_P3_A_P4_A_P6_A_P14_golden_body(site, changes, golden):
    """The golden vectors, byte by byte, with a `check` that passes."""
    only_tenant(site, **changes)
    assert_golden(golden, site.policy())
    assert site.check().status == DONE


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "none", "mx": None},
        {"mode": "testing", "max_age": "0"},
        {"mx": '["*.a.example", b.example]'},
        {"mx": "a.example"},
        {"mx": "\n      - a.example\n      - b.example"},
    ],
)
def test_A_P2_shape_of_every_body(site, changes):
    """One CRLF at the end of each line, no blank line, nothing but printable ASCII, in the one order."""
    body = only_tenant(site, **changes).policy()
    assert body.endswith(b"\r\n") and not body.endswith(b"\r\n\r\n")
    lines = body[:-2].split(b"\r\n")
    assert all(re.fullmatch(rb"(version|mode|mx|max_age): [\x21-\x7e]+", line) for line in lines)
    keys = b" ".join(line.split(b":")[0] for line in lines)
    assert re.fullmatch(rb"version mode (mx )*max_age", keys)


def test_A_P6_the_highest_max_age_is_warned_about(site):
    """31557600 is legal, but one sender replaces it."""
    check = only_tenant(site, max_age="31557600").check()
    assert check.status == DONE and check.find("W03", "warning")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"max_age": "3600"}, id="A-P8-enforce"),
        pytest.param({"mode": "testing", "max_age": "600"}, id="A-P8-testing"),
    ],
)
def test_A_P8_a_short_max_age_is_served_with_a_warning(site, changes):
    only_tenant(site, **changes)
    assert f"max_age: {changes['max_age']}\r\n".encode() in site.policy()
    check = site.check()
    assert check.status == DONE and check.find("W01", "warning")


# --- refusals ----------------------------------------


@pytest.mark.parametrize(
    "mode, suggestion",
    [
        ("Enforce", "enforce"),
        ("ENFORCE", "enforce"),
        ("enforced", "enforce"),
        ("report", "testing"),
        ('""', "testing"),
    ],
    ids=lambda value: f"A-P5-{value}",
)
def test_A_P5_only_the_three_words_are_modes(site, mode, suggestion):
    problem = assert_refused(site, "E01", value_of("mode"), mode=mode)
    assert f"`{suggestion}`" in problem.hint


def test_A_P5_a_missing_mode_is_refused(site):
    problem = assert_refused(site, "E01", tenant_line, mode=None)
    assert "mode: testing" in problem.hint


@pytest.mark.parametrize(
    "max_age", ["31557601", "9999999999", "9" * 20, "4294967296", "18446744073709551617"]
)
def test_A_P7_a_max_age_above_the_limit_never_wraps(site, max_age):
    problem = assert_refused(site, "E02", value_of("max_age"), max_age=max_age)
    assert max_age in problem.text and "31557600" in problem.text


@pytest.mark.parametrize(
    "max_age",
    [
        "-1",
        "+604800",
        "604800s",
        "1e6",
        "0x93A80",
        "604_800",
        "7:00:00",
        "604800.0",
        '""',
        '" "',
        "0604800",
        '"604800 "',
        '" 604800"',
        "1 000",
        "٦",
    ],
)
def test_A_P9_max_age_is_digits_and_nothing_else(site, max_age):
    problem = assert_refused(site, "E02", value_of("max_age"), max_age=max_age)
    assert problem.hint


def test_A_P9_a_max_age_without_value_is_refused(site):
    """An empty value must not become zero."""
    site.write(domains(tenant(max_age=""), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E02"]
    assert site.run("policy", "example.com").status == PROBLEMS


def test_A_P9_a_missing_max_age_is_refused(site):
    assert_refused(site, "E02", tenant_line, max_age=None)


@pytest.mark.parametrize("mode", ["enforce", "testing"])
@pytest.mark.parametrize("mx", ["[]", None], ids=["empty", "missing"])
def test_A_P10_enforce_and_testing_need_an_mx(site, mode, mx):
    assert_refused(site, "E03", tenant_line, mode=mode, mx=mx)


@pytest.mark.parametrize(
    "mx",
    [
        "*",
        "*.",
        ".example.com",
        "mx*.example.com",
        "a.*.example.com",
        "**.example.com",
        "*example.com",
        "*.*.example.com",
        "",
    ],
)
def test_A_P15_a_wildcard_is_the_whole_first_label(site, mx):
    site.write(domains(tenant(mx=f'["{mx}"]'), tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS
    assert {p.code for p in check.errors} <= {"E04", "E05"} and check.errors
    assert (check.errors[0].line, check.errors[0].column) == item_of("mx")(site)
    assert site.run("policy", "example.com").out == b""
    assert_golden("G1", site.policy("good.example"))


@pytest.mark.parametrize(
    "mx, code",
    [
        ("10 mail.example.com", "E04"),
        ("a.example, b.example", "E04"),
        ("mail.example.com:25", "E04"),
        ("[192.0.2.1]", "E04"),
        ("192.0.2.1", "E04"),
        ("https://mail.example.com", "E04"),
        ("mail_1.example.com", "E04"),
        ("-a.example", "E04"),
        ("a-.example", "E04"),
        ("a..example", "E05"),
        ("mail.example.com/", "E04"),
        ("mail.example.com..", "E05"),
        ("x" * 64 + ".example", "E05"),
        (".".join(["x" * 60] * 5), "E05"),
        ("mail.example.com ", "E04"),
        ("[2001:db8::1]", "E04"),
    ],
    ids=lambda value: str(value)[:24].encode("ascii", "replace").decode(),
)
def test_A_P16_an_mx_is_a_host_name_and_nothing_else(site, mx, code):
    assert_refused(site, code, item_of("mx"), mx=f'["{mx}"]')


# --- what is put right ----------------------------------------


@pytest.mark.parametrize(
    "mx",
    [
        pytest.param("mail.example.com.", id="A-P11-final_dot"),
        pytest.param("MAIL.Example.COM", id="A-P12-capitals"),
    ],
)
def test_A_P11_A_P12_an_mx_is_put_into_its_form(site, mx):
    """Lower case, no final dot; said as W10."""
    only_tenant(site, mx=f"[{mx}]")
    assert_golden("G1", site.policy())
    check = site.check()
    assert check.status == DONE
    assert [(p.line, p.column) for p in check.find("W10", "warning")] == [item_of("mx")(site)]


@pytest.mark.parametrize("mx", ["mx.bücher.example", "mx.BÜCHER.example", "mx.bu\u0308cher.example"])
def test_A_P13_unicode_becomes_a_labels(site, mx):
    only_tenant(site, mx=f'["{mx}"]', max_age="2592000")
    assert_golden("G4", site.policy())
    assert site.check().status == DONE


def test_A_P19_an_mx_written_twice_is_served_once(site):
    only_tenant(site, mx="[mail.example.com, MAIL.EXAMPLE.COM]")
    assert_golden("G1", site.policy())
    check = site.check()
    assert check.status == DONE and len(check.find("W11", "warning")) == 1


@pytest.mark.parametrize("name", ["Example.COM.", "EXAMPLE.com", "example.com."])
def test_A_P20_a_domain_is_put_into_its_form(site, name):
    """Whatever way it is written, `policy` finds it under any other."""
    only_tenant(site, name=name)
    assert_golden("G1", site.policy("example.com"))
    assert_golden("G1", site.policy("EXAMPLE.com."))
    assert site.check().status == DONE


def test_A_P13_a_unicode_domain_is_its_a_label(site):
    only_tenant(site, name="bücher.example")
    assert_golden("G1", site.policy("xn--bcher-kva.example"))
    assert_golden("G1", site.policy("bücher.example"))


# --- size ----------------------------------------


def many_mx(count):
    return "[" + ", ".join(f"mx{n:05d}.mail.example.com" for n in range(count)) + "]"


@pytest.mark.parametrize(
    "count, size, is_warned",
    [
        pytest.param(339, 10218, False, id="A-P17-339"),
        pytest.param(340, 10248, True, id="A-P17-340"),
        pytest.param(2131, 63978, True, id="A-P17-2131"),
    ],
)
def test_A_P17_large_policies_are_served_with_a_warning(site, count, size, is_warned):
    only_tenant(site, mx=many_mx(count))
    assert len(site.policy()) == size
    check = site.check()
    assert check.status == DONE
    assert bool(check.find("E08", "warning")) == is_warned


def test_A_P17_a_policy_above_64000_bytes_is_refused(site):
    problem = assert_refused(site, "E08", tenant_line, mx=many_mx(2132))
    assert "64008" in problem.text


# --- levels ----------------------------------------


def test_A_P18_a_subdomain_is_a_tenant_of_its_own(site):
    """Nothing is inherited from the domain above."""
    site.write(domains(tenant(), tenant("mail.example.com", mx=G2_MX, mode="testing", max_age="86400")))
    assert_golden("G1", site.policy("example.com"))
    assert_golden("G2", site.policy("mail.example.com"))
    assert site.run("policy", "www.example.com").status == PROBLEMS


def test_own_keys_win_over_policy_over_defaults(site):
    """DESIGN.md 5: domain, then policy, then defaults; a list replaces the one it inherits."""
    site.write(
        """\
defaults: {mode: none, max_age: 86400, mx: [d.example]}
policies:
  standard: {mode: testing, mx: [mx1.example.net, mx2.example.net, "*.mail.example.org"]}
domains:
  a.example: standard
  b.example: {policy: standard, mode: enforce, max_age: 604800, mx: [mail.example.com]}
  c.example:
  example.com: {mx: [mail.example.com]}
"""
    )
    assert_golden("G2", site.policy("a.example"))
    assert_golden("G1", site.policy("b.example"))
    assert b"mode: none\r\nmx: d.example\r\nmax_age: 86400\r\n" in site.policy("c.example")
    assert_golden("G3", site.policy("example.com"))


def test_policies_and_domains_come_from_included_files(site):
    """A file for each tenant, a policy from the main file or from another include."""
    (site.folder / "domains.d").mkdir()
    (site.folder / "domains.d" / "a.yaml").write_text(domains("  a.example: standard\n"))
    (site.folder / "domains.d" / "b.yaml").write_text(
        "policies: {other: {mode: testing, max_age: 86400, mx: %s}}\n" % G2_MX
        + domains("  b.example: other\n")
    )
    site.write(
        "policies:\n  standard: {mode: enforce, max_age: 604800, mx: [mail.example.com]}\n"
        "domains: {}\ninclude: [domains.d/*.yaml]\n"
    )
    assert site.check().status == DONE
    assert_golden("G1", site.policy("a.example"))
    assert_golden("G2", site.policy("b.example"))


def test_a_policy_that_is_nowhere_refuses_only_its_tenants(site):
    site.write(domains("  example.com: standrad\n", tenant("good.example")))
    check = site.check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E19"]
    assert "standrad" in check.errors[0].text
    assert_golden("G1", site.policy("good.example"))


def test_a_preset_is_served_checked_and_printed_like_a_policy_of_ones_own(site):
    """`check`, `policy` and the server find it by its name; an id by hand and other keys of the domain go with it."""
    site.certify("example.com")
    site.write(
        "defaults: {mode: testing, max_age: 86400}\n"
        "domains:\n  example.com: google-workspace\n  b.example: {policy: microsoft-365, mode: enforce, max_age: 604800}\n"
        "  c.example: {policy: google-workspace, mode: enforce, max_age: 604800, mx: [mail.example.com]}\n"
    )
    check = site.check()
    assert check.status == DONE and not check.find("W07") and not check.find("I01")
    google = site.policy()
    assert google.split(b"\r\n")[1:4] == [b"mode: testing", b"mx: smtp.google.com", b"mx: aspmx.l.google.com"]
    assert b"\r\nmx: *.aspmx.l.google.com\r\n" in google
    microsoft = site.policy("b.example")
    assert b"\r\nmode: enforce\r\nmx: *.mail.protection.outlook.com\r\n" in microsoft
    assert b"\r\nmx: *.h-v1.mx.microsoft\r\n" in microsoft
    assert_golden("G1", site.policy("c.example"))
    with site.serve() as server:
        assert server.body() == google


def test_a_mistyped_preset_is_named(site):
    site.write(domains("  example.com: microsoft365\n", tenant("good.example")))
    problem = site.check().errors[0]
    assert problem.code == "E19" and "microsoft-365" in problem.hint
    site.write(domains("  example.com: office365\n", tenant("good.example")))
    assert all(name in site.check().errors[0].hint for name in ("google-workspace", "microsoft-365", "fastmail", "proton"))


# --- rules over time ----------------------------------------


def test_check_asks_the_store_for_the_dates_of_the_past(site):
    """W01, W12, W05, E15, I02: with a store that has served for 91 days, after a restart, on another day."""
    names = ("a.example", "b.example", "c.example")
    site.certify(*names)
    site.write(
        domains(
            tenant("a.example", mode="testing"),
            tenant("b.example", max_age="86400"),
            tenant("c.example", max_age="31536000"),
        )
    )
    started = time.time()
    with site.serve():
        pass
    first_day = {time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (started, time.time())}
    later = environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(91 * 86400))
    site.write(
        domains(
            tenant("a.example", mode="testing"),
            tenant("b.example", max_age="86400"),
            tenant("c.example", mx="[mail2.example.com]"),
            tenant("new.example"),
        )
    )
    found = {p.code: p for p in Check(site.run("check", "--json", env=later)).problems}
    assert found["W12"].domain == "a.example" and any(day in found["W12"].text for day in first_day)
    assert found["W01"].domain == "b.example" and any(f"since {day}" in found["W01"].text for day in first_day)
    assert found["W05"].domain == "new.example" and "since" not in found["W05"].text
    year = time.time() + (91 + 365) * 86400
    dates = [time.strftime("%Y-%m-%d", time.gmtime(year - back)) for back in (0, 60)]
    assert found["E15"].domain == "c.example" and any(date in found["E15"].text for date in dates)
    assert "mx: [mail.example.com, mail2.example.com]" in found["E15"].hint
    assert found["I02"].domain == "c.example" and any(date in found["I02"].text for date in dates)
