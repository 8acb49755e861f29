# SPDX-License-Identifier: Apache-2.0
"""What happens once in a process of the fake, at a command that begins with some words."""


class Hooks(object):
    """The handler of a process.

    :ivar refuse: replies by the beginning of a command; each is given once.
    :ivar before: functions by the beginning of a command; each is called once, before the reply.
    :ivar after: a function that is called once, after the next change.
    """

    def __init__(self, process, words=' ssl '):
        self.process = process
        self.words = words
        self.refuse, self.before, self.after = {}, {}, None
        process.handler = self.answer

    def answer(self, command):
        """Return a reply, or None for that of the process."""
        line = command.split('\n')[0]
        if ';' in line or self.words not in line:
            return None
        for beginning in list(self.before):
            if command.startswith(beginning):
                self.before.pop(beginning)()
        for beginning in list(self.refuse):
            if command.startswith(beginning):
                return self.refuse.pop(beginning)
        if self.after is None or command.startswith('show'):
            return None
        after, self.after = self.after, None
        self.process.handler = None
        try:
            return self.process.reply_to(command)
        finally:
            self.process.handler = self.answer
            after()
