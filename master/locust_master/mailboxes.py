"""The mailboxes of all members: one for each session that is open, gone when it is over.

What is put for a member without one is dropped: it is told its assignment, and what is stored of its reports,
when it comes back.
"""

from __future__ import annotations

from collections.abc import Callable

from locust_master.mailbox import Mailbox
from locust_master.membership import Member
from locust_protocol.v1 import assignment_pb2, master_service_pb2, value_pb2


class Mailboxes:
    """Mailboxes by the uid that workers say."""

    def __init__(self) -> None:
        self._by_uid: dict[bytes, Mailbox] = {}
        self._last: master_service_pb2.CommandsResponse | None = None

    def open(self, member: Member, *, superseded: bool = False) -> None:
        """Opens the mailbox of a new session; the one of the session before is closed.

        With `superseded`, whoever reads that one learns that another process took its place.
        """
        if superseded and (before := self._by_uid.get(member.request.worker_uid)) is not None:
            by = master_service_pb2.Superseded(by=member.address)
            before.close(master_service_pb2.CommandsResponse(superseded=by))
        self.close(member)
        mailbox = self._by_uid[member.request.worker_uid] = Mailbox()
        if self._last is not None:
            mailbox.close(self._last)

    def of(self, member: Member) -> Mailbox:
        """Returns the mailbox of a live member."""
        return self._by_uid[member.request.worker_uid]

    def close(self, member: Member) -> None:
        """Ends the stream of a member's session, if it is open."""
        if (mailbox := self._by_uid.pop(member.request.worker_uid, None)) is not None:
            mailbox.close()

    def close_all(self, last: master_service_pb2.CommandsResponse) -> None:
        """Ends every stream with a last command; a session that begins later gets nothing else either."""
        self._last = last
        for mailbox in self._by_uid.values():
            mailbox.close(last)

    def put_assignment(
        self, member: Member, make: Callable[[], assignment_pb2.Assignment], *, pause_s: float = 0.0
    ) -> None:
        """Tells a member what it should be running when its stream takes it, at most once in `pause_s`."""
        if (mailbox := self._by_uid.get(member.request.worker_uid)) is not None:
            mailbox.put_assignment(make, pause_s=pause_s)

    def put_settings(self, settings: master_service_pb2.SessionSettings) -> None:
        """Tells everybody settings that changed."""
        for mailbox in self._by_uid.values():
            mailbox.put_settings(settings)

    def put_resync(self, member: Member, resync: master_service_pb2.Resync) -> None:
        """Asks a member for a snapshot."""
        if (mailbox := self._by_uid.get(member.request.worker_uid)) is not None:
            mailbox.put_resync(resync)

    def put_acknowledgement(
        self, member: Member, acknowledgement: master_service_pb2.ReportAcknowledgement
    ) -> None:
        """Tells a member what is stored."""
        if (mailbox := self._by_uid.get(member.request.worker_uid)) is not None:
            mailbox.put_acknowledgement(acknowledgement)

    def put_message(self, member: Member, message: value_pb2.CustomMessage) -> None:
        """Hands on a message of user code, which is delivered at most once."""
        if (mailbox := self._by_uid.get(member.request.worker_uid)) is not None:
            mailbox.put_message(message)
