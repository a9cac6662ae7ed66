"""Many files: a change is looked at by itself where its name tells what it means, and never misses where it does not."""

import os

import pki
import pytest
import rig
from rig import tenant

FILES = 20
NEW = b"mode: testing"


def yaml_of(*tenants):
    return rig.domains(*tenants).encode()


@pytest.fixture
def tenants(site):
    """The folder with a file for each of them."""
    tenants = site.folder / "domains.d"
    tenants.mkdir()
    for i in range(FILES):
        pki.replace_file(tenants / f"{i:02}.yaml", yaml_of(tenant(f"t{i:02}.example")))
    site.write("include: [domains.d/*.yaml]\n")
    return tenants


@pytest.fixture
def server(site, tenants):
    with site.serve() as server:
        settle(server, tenants)
        yield server


def settle(server, tenants):
    """Until changes are looked at by themselves: a folder that is watched for the first time is looked at once more."""

    def is_settled():
        settle.count += 1
        mark = server.log.mark()
        mode = "testing" if settle.count % 2 else "enforce"
        pki.replace_file(tenants / "settle.yaml", yaml_of(tenant("settle.example", mode=mode)))
        return files_of(server, mark) == 2

    rig.wait_until(is_settled, "a look at one file")


settle.count = 0


def files_of(server, mark, **wanted):
    return int(server.log.wait("reload.done", since=mark, **wanted).fields["files"])


def test_a_change_is_looked_at_by_itself(site, server, tenants):
    """The file that changed and the main file, of 22."""
    mark = server.log.mark()
    pki.replace_file(tenants / "03.yaml", yaml_of(tenant("t03.example", mode="testing")))
    assert files_of(server, mark, changed=1) == 2
    assert NEW in site.policy("t03.example")


def test_a_rewrite_in_place_is_seen(site, server, tenants):
    mark = server.log.mark()
    (tenants / "04.yaml").write_bytes(yaml_of(tenant("t04.example", mode="testing")))
    server.log.wait("reload.done", since=mark, changed=1)
    assert NEW in site.policy("t04.example")


def test_a_new_file_and_a_removed_one_are_seen(site, server, tenants):
    mark = server.log.mark()
    pki.replace_file(tenants / "new.yaml", yaml_of(tenant("new.example")))
    assert files_of(server, mark, changed=1) == 2
    assert site.policy("new.example")
    mark = server.log.mark()
    (tenants / "new.yaml").unlink()
    assert files_of(server, mark, withdrawn=1) == 1
    mark = server.log.mark()
    (tenants / "05.yaml").rename(tenants / "05.yaml.off")
    assert files_of(server, mark, withdrawn=1) == 1


def test_a_domain_may_move_to_another_file(server, tenants):
    """Both are told: nothing is withdrawn on the way."""
    mark = server.log.mark()
    pki.replace_file(tenants / "07.yaml", yaml_of(tenant("t07.example"), tenant("t06.example", mode="testing")))
    pki.replace_file(tenants / "06.yaml", b"domains: {}\n")
    server.log.wait("reload.done", since=mark, changed=1)
    server.hang_up()
    server.log.wait("reload.asked", since=mark)
    assert not [e for e in server.log.events("reload.done", since=mark) if e.fields["withdrawn"] != "0"]


def test_a_mistake_that_another_file_cures_is_cured(site, server, tenants):
    mark = server.log.mark()
    pki.replace_file(tenants / "09.yaml", yaml_of(tenant("t09.example"), tenant("t08.example", mode="testing")))
    server.log.wait("config.error", since=mark, code="E07")
    mark = server.log.mark()
    (tenants / "08.yaml").unlink()
    assert files_of(server, mark, changed=1) == FILES + 1
    assert NEW in site.policy("t08.example")


def test_a_link_is_followed_when_it_is_swapped(site, server, tenants):
    """As Kubernetes does it: each file is a link through ..data."""
    for version, mode in (("one", "enforce"), ("two", "testing")):
        (tenants / f"..{version}").mkdir()
        (tenants / f"..{version}" / "k.yaml").write_bytes(yaml_of(tenant("k.example", mode=mode)))
    (tenants / "..data").symlink_to("..one")
    mark = server.log.mark()
    (tenants / "k.yaml").symlink_to("..data/k.yaml")
    server.log.wait("reload.done", since=mark, changed=1)
    mark = server.log.mark()
    (tenants / "..tmp").symlink_to("..two")
    os.rename(tenants / "..tmp", tenants / "..data")
    server.log.wait("reload.done", since=mark, changed=1)
    assert NEW in site.policy("k.example")


def test_the_main_file_is_looked_at_with_all_others(site, server, tenants):
    mark = server.log.mark()
    site.write("include: [domains.d/*.yaml]\n" + rig.domains(tenant("main.example")))
    assert files_of(server, mark, changed=1) == FILES + 2


def test_a_folder_that_goes_and_comes_back_is_seen(site, server, tenants):
    """Nothing is withdrawn while it is away, and changes are seen when it is back."""
    mark = server.log.mark()
    away = tenants.rename(site.folder / "away")
    server.log.wait("config.error", since=mark, code="E18")
    pki.replace_file(away / "10.yaml", yaml_of(tenant("t10.example", mode="testing")))
    away.rename(tenants)
    server.log.wait("reload.done", since=mark, changed=1)
    assert not [e for e in server.log.events("reload.done", since=mark) if e.fields["withdrawn"] != "0"]
