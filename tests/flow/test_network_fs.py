"""On a network file system: the store is refused, files are looked at instead of watched."""

import os
import subprocess

import pytest
import rig
from golden import GOLDEN
from rig import SYSTEM, domains, tenant


@pytest.fixture
def shim(tmp_path):
    """A library that, preloaded, makes a folder seem to lie on NFS."""
    source = os.path.join(os.path.dirname(__file__), "nfs_shim.c")
    library = tmp_path / "nfs_shim.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def seems_on_nfs(shim, folder):
    # a sanitizer's runtime wants to be loaded first
    return {
        "LD_PRELOAD": str(shim),
        "NFS_SHIM_FOLDER": str(folder),
        "ASAN_OPTIONS": "verify_asan_link_order=0",
    }


def test_a_store_on_nfs_is_refused_with_what_to_do(site, shim):
    """LMDB's locks and maps do not work there."""
    site.write(domains(tenant()))
    environment = rig.environment(**seems_on_nfs(shim, site.state))
    finished = rig.run(rig.BINARY, "-c", site.yaml, "serve", env=environment, timeout_s=20)
    assert finished.status == SYSTEM
    assert "network file system" in finished.err and "state_dir" in finished.err
    assert "serve.ready" not in finished.err


def test_a_configuration_on_nfs_is_polled(site, shim, tmp_path):
    """inotify is silent about other machines' changes: files are looked at, and the log says so."""
    settings = {"state_dir": tmp_path / "local"}
    site.write(domains(tenant(mx="[old.example.com]")), settings)
    site.certify("example.com")
    with site.serve(env=seems_on_nfs(shim, site.folder)) as server:
        assert any(site.folder.name in event.line for event in server.log.events("watch.polling"))
        server.change(domains(tenant()), settings)
        assert server.body() == GOLDEN["G1"][0]
