"""The door of a listener that speaks TLS: the handshake first, then the application's protocol.

asyncio's own server says nothing of a handshake that failed. So connections are accepted here, one by one, and handed
to asyncio with TLS; what comes of it, and from which address, is known then. A failure that tells of a certificate, or
of somebody who does not speak TLS, is noted as a refusal. One who merely hangs up is not: load balancers and monitors
do.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from collector.errors import RefusedError
from collector.limits import network_of
from collector.refusals import Strangers

HANDSHAKE_S = 20  # in which it must be over
MAX_HANDSHAKES = 1024  # under way at once; others wait in the backlog meanwhile
MAX_OF_NETWORK = 256  # of these: many boxes may be behind one address, and who stalls may not have all the room
AGAIN_S = 1.0  # after the system had nothing left for one more connection

# What a failed handshake is noted as.
MISSING, FOREIGN, EXPIRED = "certificate_missing", "certificate_foreign", "certificate_expired"
FAILED = "handshake"
# X509_V_ERR_... of OpenSSL's x509_vfy.h
CERTIFICATE_EXPIRED = 10
CERTIFICATE_NOT_YET_VALID = 9

log = logging.getLogger("collector.door")


class Door:
    """Accepts connections of `listening`, as long as it is open; `protocol` makes what takes one that got through.

    `close` and `wait_closed` are those of asyncio.Server, as uvicorn calls them.
    """

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext,
        strangers: Strangers,
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._tls = tls
        self._protocol = protocol
        self._strangers = strangers
        self._room = asyncio.Semaphore(MAX_HANDSHAKES)
        self._handshakes: dict[asyncio.Task[None], str] = {}
        self._of_network: Counter[str] = Counter()
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Takes no more; who is through stays."""
        for task in (self._accepting, *self._handshakes):
            task.cancel()

    async def wait_closed(self) -> None:
        """Waits until nothing is left of those who were not through."""
        await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                connection, peer = await loop.sock_accept(self._listening)
            except OSError as error:
                # no descriptor, no memory, or the peer is gone again
                self._room.release()
                log.error("not_accepted error=%r", error.strerror)
                await asyncio.sleep(AGAIN_S)
                continue
            network = network_of(peer[0])
            if self._of_network[network] >= MAX_OF_NETWORK:
                connection.close()
                self._room.release()
                continue
            self._of_network[network] += 1
            task = asyncio.create_task(self._shake_hands(connection, peer[0]))
            self._handshakes[task] = network
            task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        network = self._handshakes.pop(task)
        self._of_network[network] -= 1
        if not self._of_network[network]:
            del self._of_network[network]
        self._room.release()

    async def _shake_hands(self, connection: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
            )
        except ssl.SSLError as error:
            refused = refusal(error)
            if refused is not None:
                self._strangers.note(refused, address)
        except OSError:  # hung up, or silent for too long
            pass


def refusal(error: ssl.SSLError) -> RefusedError | None:
    """What a failed handshake is noted as, None for one who hung up."""
    if isinstance(error, ssl.SSLCertVerificationError):
        untimely = error.verify_code in (CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID)
        return RefusedError(403, EXPIRED if untimely else FOREIGN, error.verify_message)
    if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return RefusedError(403, MISSING, "no certificate was shown")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    why = (error.reason or str(error)).replace("_", " ").lower()
    return RefusedError(403, FAILED, f"TLS failed: {why}")
