"""systemd is told when the server is ready and when it stops (Type=notify)."""

import socket

import rig
from rig import domains, tenant


def test_ready_is_told_once_all_workers_serve_and_stopping_at_the_end(site):
    """`systemctl start` returns when a policy can be fetched, and not before."""
    path = site.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20 * rig.patience())
        site.certify("example.com")
        site.write(domains(tenant()))
        with site.serve(env={"NOTIFY_SOCKET": str(path)}, wait=False) as server:
            assert manager.recv(100) == b"READY=1"
            server.wait_ready()
            assert server.serves()
            server.stop()
            assert manager.recv(100) == b"STOPPING=1"


def test_a_manager_that_is_gone_does_not_matter(site):
    site.write(domains(tenant()))
    with site.serve(env={"NOTIFY_SOCKET": str(site.folder / "nobody")}):
        pass
