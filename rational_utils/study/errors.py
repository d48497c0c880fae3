"""The one exception for everything a user can mend: its message is one line saying what, where and what to do."""


class StudyError(Exception):
    """Raised for bad settings, missing sources and broken artifacts; commands print its message and exit with 2."""
