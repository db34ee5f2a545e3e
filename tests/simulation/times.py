"""
The timers of a simulated scope, and the times within which its rules must hold.

Note [Scaled timers]

The registrars' timers are a tenth of their defaults or so: a run of some minutes then sees
as many heartbeats and takeovers as an hour would.  The clients' timers are constants and
stay as they are.
"""

import attrs

from rserpool.client import call, element, hunt
from rserpool.registrar.settings import Settings

#: What may be added to every stated time: a piece that was lost at first comes up to 1.2 s
#: later in each direction, what waited for its way passes within 3 s, and the rules are
#: looked at once a second.
SLACK = 8.0
#: Clocks differ by up to 1 % from the world's, to either side.
DRIFT = 1.03
#: How long a registrar may take to call another one again that it can reach: the longest
#: pause of its back-off, and a call that began when it couldn't.
REDIAL = 40.0
#: How long an element may take to find a registrar that it can reach again: the longest
#: pause or wait of its hunt (RETRAN-MAX), a call that fails first, and a registration that
#: had no answer (T2).
REHOME = hunt.RETRAN_MAX + call.CALL_TIMEOUT + element.T2_SECONDS


@attrs.frozen
class Stated:
    """What is stated, in seconds, for these settings."""

    settings: Settings

    @property
    def detected(self) -> float:
        """
        A dead registrar is known to be dead.

        MAX-TIME-LAST-HEARD without a word, and MAX-TIME-NO-RESPONSE without an answer
        (RFC 5353 section 3.4.3).
        """
        return self.settings.max_time_last_heard + self.settings.max_time_no_response

    @property
    def taken_over(self) -> float:
        """
        The elements of a dead registrar have another home.

        Each of the others may find out as late as the last of them, an arbitration whose
        winner dies or that lacks an answer is begun anew, and the answers to it take
        MAX-TIME-NO-RESPONSE (section 3.5.1).
        """
        return 2 * (self.detected + self.settings.max_time_no_response) * DRIFT + SLACK

    @property
    def synchronized(self) -> float:
        """
        Two registrars that have just connected agree on what each of them owns.

        A heartbeat brings the checksum; what differs is asked for, and asked for once more
        if there was no answer in MAX-TIME-NO-RESPONSE (section 3.6).
        """
        settings = self.settings
        heartbeat = settings.peer_heartbeat_cycle
        return 2 * (heartbeat + settings.max_time_no_response) * DRIFT + SLACK

    @property
    def owners(self) -> float:
        """
        Of two registrars that are connected, one has given an element up that both owned.

        As soon as they have told each other what they own.
        """
        return self.synchronized

    @property
    def visible(self) -> float:
        """
        An element that is registered is known to those who are connected to its home.

        At once by an update; after a connection was lost, as soon as they are synchronized.
        """
        return self.synchronized

    @property
    def told(self) -> float:
        """
        What has come or gone at a registrar is known to who has long been connected with it.

        By an update, at once: not by the next heartbeat.  A piece that was lost at first is
        late, and so may be who looks.
        """
        return 3.0

    @property
    def gone(self) -> float:
        """
        An element that has died is known to nobody who is connected to its home.

        Its home asks it after at most 1.5 intervals of its keep-alive, waits for the answer,
        and says so (RFC 5352 section 3.5); one that has adopted it waits for the element to
        come (rehome-timeout) before that.
        """
        settings = self.settings
        silent = 1.5 * settings.keep_alive_interval + settings.keep_alive_timeout
        return max(silent, settings.rehome_timeout) * DRIFT + self.visible

    @property
    def meshed(self) -> float:
        """All registrars that can reach each other are connected, and agree."""
        return REDIAL + self.synchronized

    @property
    def rehomed(self) -> float:
        """An element that can reach a registrar is registered."""
        return REHOME * DRIFT + SLACK

    @property
    def quiet(self) -> float:
        """
        After the last fault, everything has come to rest.

        Registrars have met, or have taken over who is dead; elements have come back; those
        that never came have been dropped, and the last deadline put down for them (up to
        a minute ahead, in the handlespace) has passed.
        """
        settled = max(self.meshed, self.rehomed, self.taken_over)
        return settled + max(self.gone, 60.0)
