"""The exception for everything a user can mend, whose message is one line saying what, where and what to do; and the one for a request that is declined."""


class Declined(ValueError):
    """A model behind an endpoint will not take this one request; others may go on."""


class StudyError(Exception):
    """Raised for bad settings, missing sources and broken artifacts; commands print its message and exit with 2."""
