"""Which name servers answer nothing: check_dns.py SECONDS ADDRESS..."""
import sys
import time

from haproxyadmin import exceptions, haproxy


def look(hap):
    return dict((section.name + '/' + server.name, server)
                for section in hap.resolvers() for server in section.nameservers())


if len(sys.argv) < 3:
    print(__doc__)
    sys.exit(3)
try:
    hap = haproxy.HAProxy(addresses=sys.argv[2:])
    before = look(hap)
    time.sleep(float(sys.argv[1]))
    after = look(hap)
except exceptions.HAProxyBaseError as error:
    print('UNKNOWN: {0}'.format(error))
    sys.exit(3)
silent = []
for name in sorted(set(before) & set(after)):
    sent = after[name].counters['sent'] - before[name].counters['sent']
    # The last ones may still be answered.
    if 3 < sent <= after[name].unanswered - before[name].unanswered:
        silent.append(name)
print('CRITICAL: no answer from ' + ', '.join(silent) if silent else 'OK')
sys.exit(2 if silent else 0)
