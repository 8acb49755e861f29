"""Check when the certificates in HAProxy expire: expiring.py [DAYS [CRITICAL DAYS]]"""
import sys

from haproxyadmin import haproxy
from haproxyadmin.exceptions import HAProxyBaseError

OK, WARNING, CRITICAL = range(3)
WORDS = ['OK', 'WARNING', 'CRITICAL']
DAY = 86400


def main(within=30, critical=7):
    state, lines, count = OK, [], 0
    try:
        hap = haproxy.HAProxy(socket_dir='/run/haproxy', retry=None)
        for _, error in hap.left_out:
            state, lines = CRITICAL, lines + [str(error)]
        for certificate in hap.certificates():
            count += 1
            known = [details for _, details in certificate.details_per_socket()
                     if details.status != 'Empty']
            left = min([details.expires_in for details in known] or [sys.maxsize])
            if left < within * DAY:
                state = max(state, CRITICAL if left < critical * DAY else WARNING)
                lines.append('{0} expires in {1} days'.format(certificate.name, left // DAY))
            if len(set(details.serial for details in known)) > 1:
                state = max(state, WARNING)
                lines.append('{0} is not the same in all processes'.format(certificate.name))
    except HAProxyBaseError as error:
        state, lines = CRITICAL, lines + [str(error)]
    print('{0}: {1}'.format(WORDS[state], '; '.join(lines) or '{0} certificates'.format(count)))
    return state


sys.exit(main(*[int(word) for word in sys.argv[1:3]]))
