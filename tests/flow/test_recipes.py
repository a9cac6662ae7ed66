"""README, "From YAML to DNS": each format's recipe, word for word, does what it says. Only folders, ports and the
configuration's place differ. octoDNS, DNSControl and kubectl are in no package: in their place stands a program that
keeps what it was called with, and their files are read as in formats.py."""

import re
import stat

import formats
import pytest
import rig
from dns_servers import Bind, PowerDns, zone_skeleton
from resolver import Resolver
from rig import DONE, PROBLEMS, domains, tenant

README = (rig.REPOSITORY / "README.md").read_text()
ZONES = ("example.com", "other.example")
CHAPTER = README.split("\n## From YAML to DNS\n")[1].split("\n## ")[0]
SECTIONS = {part.split("\n", 1)[0]: part for part in CHAPTER.split("\n### ")[1:]}


DIFFERENCE = README.split("\n## What differs\n")[1].split("\n## ")[0]


def blocks(section):
    return re.findall(r"^```sh\n(.*?)^```$", section, re.S | re.M)


def recipe(form):
    """The section's shell commands."""
    (block,) = blocks(SECTIONS[form])
    return block


@pytest.fixture
def kitchen(site):
    """A site with two tenants, and programs that stand before the real ones on PATH."""
    site.certify(*ZONES)
    site.write(domains(tenant(), tenant("other.example")), dns={"addresses": '[192.0.2.1, "2001:db8::1"]'})
    for folder in ("etc", "run", "bin"):
        (site.folder / folder).mkdir()
    shelf(site, "mta-sts-server", f'exec {rig.BINARY} -c {site.yaml} "$@"')
    with site.serve():
        yield site


def shelf(site, name, commands):
    program = site.folder / "bin" / name
    program.write_text(f"#!/bin/sh\n{commands}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def stand_in(site, name):
    """A program that only keeps its arguments."""
    shelf(site, name, f'printf "%s\\n" "$*" >> {site.folder}/{name}.called')


def was_called(site, name):
    called = site.folder / f"{name}.called"
    return called.read_text().splitlines() if called.exists() else []


def cook(site, form, **replace):
    return cook_script(site, recipe(form), **replace)


def cook_script(site, script, **replace):
    """Runs it with /etc and /run below the site's folder."""
    for old, new in replace.items():
        assert script.count(old), f"{old} is not in the recipe"
        script = script.replace(old, new)
    script = re.sub(r"(?<![\w.])/(etc|run)/", rf"{site.folder}/\1/", script)
    env = rig.environment()
    env["PATH"] = f"{site.folder}/bin:{env['PATH']}"
    return rig.run("sh", "-u", "-c", script, env=env)


def live(site, *names):
    records = {(r["name"], r["type"], r["ttl"], r["data"], r["state"]) for r in site.records(*names)}
    assert records
    return records


def assert_dns_is(server, records):
    for name, kind in {record[:2] for record in records}:
        assert server.ask(name, kind) == {r[2:4] for r in records if r[:2] == (name, kind)}


def test_every_format_has_its_recipe(site):
    assert list(SECTIONS) == formats.ALL
    refused = site.write(domains(tenant())).run("records", "--format", "?")
    assert refused.status == rig.USAGE
    assert [line.split()[0] for line in refused.err.splitlines()[1:]] == formats.ALL


def bind_with_include(site):
    """A static zone that includes what the recipe writes."""
    (site.folder / "etc" / "bind").mkdir()
    (site.folder / "etc" / "bind" / "example.com.mta-sts").write_text("")
    include = f"$INCLUDE {site.folder}/etc/bind/example.com.mta-sts\n"
    bind = Bind(site.folder / "bind", locked=["example.com"], zone_tail=include)
    (site.folder / "etc" / "bind" / "example.com.zone").symlink_to(site.folder / "bind" / "example.com.zone")
    shelf(site, "rndc", f'exec /usr/sbin/rndc -c {site.folder}/bind/rndc.conf "$@"')
    return bind


def test_zone(kitchen):
    with bind_with_include(kitchen) as bind:
        finished = cook(kitchen, "zone")
        assert finished.status == DONE, finished.err
        rig.wait_until(lambda: bind.ask("_mta-sts.example.com.", "TXT"), "the reloaded zone")
        assert_dns_is(bind, live(kitchen, "example.com"))


def test_zone_keeps_the_old_file_while_something_is_withheld(kitchen):
    (kitchen.folder / "etc" / "bind").mkdir()
    old = kitchen.folder / "etc" / "bind" / "example.com.mta-sts"
    old.write_text("old")
    stand_in(kitchen, "rndc")
    shelf(kitchen, "mta-sts-server", f'{rig.BINARY} -c {kitchen.yaml} "$@"; exit 1')
    assert cook(kitchen, "zone").status != DONE
    assert old.read_text() == "old" and not was_called(kitchen, "rndc")


def test_json(kitchen):
    finished = cook(kitchen, "json")
    assert finished.status == DONE and finished.out == b""
    kitchen.write(domains(tenant(), tenant("bare.example")))
    rig.wait_until(lambda: cook(kitchen, "json").out == b"bare.example\n", "the withheld domain")


def test_nsupdate(kitchen):
    with Bind(kitchen.folder / "bind", *ZONES) as bind:
        for _ in range(2):
            finished = cook(
                kitchen,
                "nsupdate",
                **{
                    "server 127.0.0.1": f"server 127.0.0.1 {bind.port}",
                    "/etc/bind/mta-sts.key": str(bind.key_file),
                },
            )
            assert finished.status == DONE, finished.err
            assert_dns_is(bind, live(kitchen))


def test_powerdns(kitchen):
    (kitchen.folder / "etc" / "mta-sts-server").mkdir()
    (kitchen.folder / "etc" / "mta-sts-server" / "powerdns.header").write_text(
        f"X-API-Key: {PowerDns.API_KEY}\n"
    )
    with PowerDns(kitchen.folder / "powerdns", *ZONES) as powerdns:
        for _ in range(2):
            finished = cook(kitchen, "powerdns", **{"127.0.0.1:8081": f"127.0.0.1:{powerdns.api_port}"})
            assert finished.status == DONE, finished.err
            assert_dns_is(powerdns, live(kitchen))


def test_octodns(kitchen):
    (kitchen.folder / "etc" / "octodns" / "mta-sts").mkdir(parents=True)
    stand_in(kitchen, "octodns-sync")
    for _ in range(2):
        finished = cook(kitchen, "octodns")
        assert finished.status == DONE, finished.err
    files = sorted((kitchen.folder / "etc" / "octodns" / "mta-sts").iterdir())
    assert [file.name for file in files] == ["example.com.yaml", "other.example.yaml"]
    text = "".join(file.read_text() for file in files)
    assert formats.parse("octodns", text, kitchen.folder) == live(kitchen)
    assert len(was_called(kitchen, "octodns-sync")) == 2


def test_dnscontrol(kitchen):
    (kitchen.folder / "etc" / "dnscontrol").mkdir()
    stand_in(kitchen, "dnscontrol")
    finished = cook(kitchen, "dnscontrol")
    assert finished.status == DONE, finished.err
    text = (kitchen.folder / "etc" / "dnscontrol" / "mta-sts.js").read_text()
    records = formats.dnscontrol_records(kitchen.folder, text, ZONES)
    assert {(r["name"], r["type"], r["ttl"], r["data"], "live") for r in records} == live(kitchen)
    assert was_called(kitchen, "dnscontrol") == [
        f"push --config {kitchen.folder}/etc/dnscontrol/dnsconfig.js"
    ]


def test_external_dns(kitchen):
    stand_in(kitchen, "kubectl")
    finished = cook(kitchen, "external-dns")
    assert finished.status == DONE, finished.err
    text = (kitchen.folder / "run" / "mta-sts.yaml").read_text()
    assert formats.parse("external-dns", text, kitchen.folder) == live(kitchen)
    (call,) = was_called(kitchen, "kubectl")
    assert call.startswith("apply ") and f"-f {kitchen.folder}/run/mta-sts.yaml" in call
    selector = re.search(r"--selector (\S+)=(\S+)", call)
    assert all(item["metadata"]["labels"][selector[1]] == selector[2] for item in formats.dnsendpoints(text))


@pytest.mark.parametrize("form", ["octodns", "dnscontrol", "external-dns"])
def test_what_replaces_a_file_is_not_handed_on_while_something_is_withheld(kitchen, form):
    for folder in ("octodns/mta-sts", "dnscontrol"):
        (kitchen.folder / "etc" / folder).mkdir(parents=True)
    for name in ("octodns-sync", "dnscontrol", "kubectl"):
        stand_in(kitchen, name)
    kitchen.write(domains(tenant(), tenant("bare.example")))
    rig.wait_until(lambda: kitchen.run("records").status == PROBLEMS, "the withheld domain")
    assert cook(kitchen, form).status == PROBLEMS
    assert not any(was_called(kitchen, name) for name in ("octodns-sync", "dnscontrol", "kubectl"))


def test_published_by_the_server_itself(site):
    chapter = README.split("\n## Published by the server itself\n")[1].split("\n## ")[0]
    (settings,) = re.findall(r"^```yaml\ndns:\n(.*?)^```$", chapter, re.S | re.M)
    (script,) = re.findall(r"^```sh\n(.*?)^```$", chapter, re.S | re.M)
    with Bind(site.folder / "bind", *ZONES) as bind:
        hook = site.folder / "publish"
        assert script.count("127.0.0.1") == script.count("/etc/mta-sts-server/tsig.key") == 1
        script = script.replace("127.0.0.1", f"127.0.0.1 {bind.port}")
        hook.write_text(script.replace("/etc/mta-sts-server/tsig.key", str(bind.key_file)))
        hook.chmod(0o755)
        site.certify(*ZONES)
        publish = settings.replace("/etc/mta-sts-server/publish", str(hook)).split("publish:", 1)[1]
        site.write(domains(tenant(), tenant("other.example")), dns={"publish": publish, "addresses": "[192.0.2.1]"})
        with site.serve() as server:
            event = server.log.wait("publish.done")
            assert event.fields["domains"] == "2"
            assert_dns_is(bind, live(site))


def test_difference_in_a_crontab(kitchen):
    """Silent while nothing differs."""
    watch, _ = blocks(DIFFERENCE)
    with Resolver() as resolver:
        resolver.set_records(kitchen.records())
        finished = cook_script(kitchen, watch, **{"192.0.2.53": resolver.option})
        assert (finished.status, finished.out, finished.err) == (DONE, b"", "")
        resolver.table["mta-sts.example.com.", "A"] = ["192.0.2.9"]
        finished = cook_script(kitchen, watch, **{"192.0.2.53": resolver.option})
        assert finished.status == PROBLEMS and b"mta-sts.example.com. 300 IN A 192.0.2.1\n" in finished.out
        assert b"other.example" not in finished.out


def test_difference_published_by_nsupdate(kitchen):
    """The second time nothing is sent; and nothing when the server does not answer."""
    _, publish = blocks(DIFFERENCE)
    with Bind(kitchen.folder / "bind", *ZONES) as bind:
        replace = {
            "--resolver 127.0.0.1": f"--resolver 127.0.0.1:{bind.port}",
            "server 127.0.0.1": f"server 127.0.0.1 {bind.port}",
            "/etc/bind/mta-sts.key": str(bind.key_file),
        }
        (first,) = bind.ask("example.com.", "SOA")
        finished = cook_script(kitchen, publish, **replace)
        assert finished.status == DONE, finished.err
        assert_dns_is(bind, live(kitchen))
        (second,) = bind.ask("example.com.", "SOA")
        assert second != first
        finished = cook_script(kitchen, publish, **replace)
        assert finished.status == DONE and bind.ask("example.com.", "SOA") == {second}
    stand_in(kitchen, "nsupdate")
    finished = cook_script(kitchen, publish, **replace)
    assert finished.status not in (DONE, -1) and not was_called(kitchen, "nsupdate")
    shelf(kitchen, "nsupdate", "exit 2")
    with Resolver() as resolver:
        finished = cook_script(kitchen, publish, **{**replace, "--resolver 127.0.0.1": f"--resolver {resolver.option}"})
    assert finished.status == 2


def test_difference_is_published_though_a_tenants_zone_is_lame(kitchen):
    """And the script fails, so that somebody looks."""
    _, publish = blocks(DIFFERENCE)
    with Bind(kitchen.folder / "bind", "example.com") as bind:
        replace = {
            "--resolver 127.0.0.1": f"--resolver 127.0.0.1:{bind.port}",
            "server 127.0.0.1": f"server 127.0.0.1 {bind.port}",
            "/etc/bind/mta-sts.key": str(bind.key_file),
        }
        finished = cook_script(kitchen, publish, **replace)
        assert finished.status not in (DONE, -1) and "other.example: cannot be compared" in finished.err
        assert_dns_is(bind, live(kitchen, "example.com"))
