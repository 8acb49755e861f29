#!/usr/bin/env sh
# Give HAProxy a renewed certificate: a deploy hook of acme.sh

haproxyadmin_deploy() {
    _domain="$1" _key="$2" _fullchain="$5"
    RENEWED_DOMAINS="$_domain" /usr/local/bin/haproxy-renew \
        "/etc/haproxy/$_domain.pem" "$_fullchain" "$_key"
}
