"""Which peers are not connected: check_peers.py ADDRESS..."""
import sys

from haproxyadmin import exceptions, haproxy

if len(sys.argv) < 2:
    print(__doc__)
    sys.exit(3)
try:
    hap = haproxy.HAProxy(addresses=sys.argv[1:])
    lost = ['{0} from {1} ({2})'.format(peer.name, address, state.status)
            for section in hap.peers() for peer in section.peers()
            for address, state in peer.by_socket
            if not (state.is_local or state.is_connected)]
except exceptions.HAProxyBaseError as error:
    print('UNKNOWN: {0}'.format(error))
    sys.exit(3)
print('CRITICAL: no connection to ' + ', '.join(lost) if lost else 'OK')
sys.exit(2 if lost else 0)
