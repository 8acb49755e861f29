# SPDX-License-Identifier: Apache-2.0
"""The figures that HAProxy reports, and how those of several processes are combined."""

# These four lists do not grow with HAProxy: dashboards iterate over them.
FRONTEND_METRICS = [
    'bin', 'bout', 'comp_byp', 'comp_in', 'comp_out', 'comp_rsp', 'dreq', 'dresp', 'ereq',
    'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other', 'rate', 'rate_lim',
    'rate_max', 'req_rate', 'req_rate_max', 'req_tot', 'scur', 'slim', 'smax', 'stot',
]

BACKEND_METRICS = [
    'act', 'bck', 'bin', 'bout', 'chkdown', 'cli_abrt', 'comp_byp', 'comp_in', 'comp_out',
    'comp_rsp', 'ctime', 'downtime', 'dreq', 'dresp', 'econ', 'eresp', 'hrsp_1xx', 'hrsp_2xx',
    'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other', 'lastchg', 'lastsess', 'lbtot', 'qcur',
    'qmax', 'qtime', 'rate', 'rate_max', 'rtime', 'scur', 'slim', 'smax', 'srv_abrt', 'stot',
    'ttime', 'weight', 'wredis', 'wretr',
]

SERVER_METRICS = [
    'act', 'bck', 'bin', 'bout', 'check_duration', 'chkdown', 'chkfail', 'cli_abrt', 'ctime',
    'downtime', 'dresp', 'econ', 'eresp', 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx',
    'hrsp_5xx', 'hrsp_other', 'lastchg', 'lastsess', 'lbtot', 'qcur', 'qlimit', 'qmax', 'qtime',
    'rate', 'rate_max', 'rtime', 'scur', 'slim', 'smax', 'srv_abrt', 'stot', 'throttle', 'ttime',
    'weight', 'wredis', 'wretr',
]

HAPROXY_METRICS = [
    'CompressBpsIn', 'CompressBpsOut', 'CompressBpsRateLim', 'ConnRate', 'ConnRateLimit',
    'CumConns', 'CumReq', 'CumSslConns', 'CurrConns', 'CurrSslConns', 'Hard_maxconn', 'Idle_pct',
    'MaxConnRate', 'MaxSessRate', 'MaxSslConns', 'MaxSslRate', 'MaxZlibMemUsage', 'Maxconn',
    'Maxpipes', 'Maxsock', 'Memmax_MB', 'PipesFree', 'PipesUsed', 'Process_num', 'Run_queue',
    'SessRate', 'SessRateLimit', 'SslBackendKeyRate', 'SslBackendMaxKeyRate', 'SslCacheLookups',
    'SslCacheMisses', 'SslFrontendKeyRate', 'SslFrontendMaxKeyRate', 'SslFrontendSessionReuse_pct',
    'SslRate', 'SslRateLimit', 'Tasks', 'Ulimit-n', 'Uptime_sec', 'ZlibMemUsage',
]

# Added over all processes: what HAProxy itself declares ("show info typed", "show stat typed")
# to be a counter, gauge, rate, limit or highest value.
METRICS_SUM = [
    # Documented, of "show info". Sums of percentages and process numbers say little, but are
    # documented.
    'CompressBpsIn', 'CompressBpsOut', 'CompressBpsRateLim', 'ConnRate', 'ConnRateLimit',
    'CumConns', 'CumReq', 'CumSslConns', 'CurrConns', 'CurrSslConns', 'Hard_maxconn', 'Idle_pct',
    'MaxConnRate', 'MaxSessRate', 'MaxSslConns', 'MaxSslRate', 'MaxZlibMemUsage', 'Maxconn',
    'Maxpipes', 'Maxsock', 'Memmax_MB', 'PipesFree', 'PipesUsed', 'Process_num', 'Run_queue',
    'SessRate', 'SessRateLimit', 'SslBackendKeyRate', 'SslBackendMaxKeyRate', 'SslCacheLookups',
    'SslCacheMisses', 'SslFrontendKeyRate', 'SslFrontendMaxKeyRate', 'SslFrontendSessionReuse_pct',
    'SslRate', 'SslRateLimit', 'Tasks', 'Ulimit-n', 'ZlibMemUsage',
    # Documented, of "show stat".
    'bin', 'bout', 'chkdown', 'chkfail', 'comp_byp', 'comp_in', 'comp_out', 'comp_rsp', 'cli_abrt',
    'dreq', 'dresp', 'ereq', 'eresp', 'econ', 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx',
    'hrsp_5xx', 'hrsp_other', 'lbtot', 'qcur', 'qmax', 'rate', 'rate_lim', 'rate_max', 'req_rate',
    'req_rate_max', 'req_tot', 'scur', 'slim', 'srv_abrt', 'smax', 'stot', 'wretr', 'wredis',
    # The rest of "show info". Stopping and BusyPolling are 0 or 1: how many processes do so.
    'ActivePeers', 'BlockedTrafficWarnings', 'BusyPolling', 'BytesOutRate', 'ConnectedPeers',
    'CumRecvLogs', 'CumStreams', 'CurrStreams', 'DebugCommandsIssued', 'DroppedLogs',
    'FailedResolutions', 'Jobs', 'Listeners', 'MaxconnReached', 'Memmax_bytes', 'Niced_tasks',
    'PatternsAdded', 'PatternsFreed', 'PoolAlloc_MB', 'PoolAlloc_bytes', 'PoolFailed',
    'PoolUsed_MB', 'PoolUsed_bytes', 'Stopping', 'TotalBytesOut', 'TotalSplicedBytesOut',
    'TotalWarnings', 'Unstoppable Jobs',
    # The same as HAProxy spelled it before 2.8.
    'TotalSplicdedBytesOut',
    # The rest of "show stat".
    'hanafail', 'conn_rate', 'conn_rate_max', 'conn_tot', 'intercepted', 'dcon', 'dses', 'wrew',
    'connect', 'reuse', 'cache_lookups', 'cache_hits', 'srv_icur', 'src_ilim', 'eint',
    'idle_conn_cur', 'safe_conn_cur', 'used_conn_cur', 'need_conn_est', 'agg_server_check_status',
    'agg_server_status', 'agg_check_status', 'sess_other', 'h1sess', 'h2sess', 'h3sess',
    'req_other', 'h1req', 'h2req', 'h3req', 'priv_idle_cur', 'reqbin', 'reqbout', 'resbin',
    'resbout',
    # The modules of HAProxy in "show stat": which there are depends on version and build.
    'ssl_sess', 'ssl_reused_sess', 'ssl_failed_handshake', 'ssl_ocsp_staple',
    'ssl_failed_ocsp_staple',
    'h1_open_connections', 'h1_open_streams', 'h1_total_connections', 'h1_total_streams',
    'h1_bytes_in', 'h1_bytes_out', 'h1_spliced_bytes_in', 'h1_spliced_bytes_out',
    'h2_headers_rcvd', 'h2_data_rcvd', 'h2_settings_rcvd', 'h2_rst_stream_rcvd', 'h2_goaway_rcvd',
    'h2_detected_conn_protocol_errors', 'h2_detected_strm_protocol_errors', 'h2_rst_stream_resp',
    'h2_goaway_resp', 'h2_open_connections', 'h2_backend_open_streams', 'h2_total_connections',
    'h2_backend_total_streams',
    'h3_data', 'h3_headers', 'h3_cancel_push', 'h3_push_promise', 'h3_max_push_id', 'h3_goaway',
    'h3_settings', 'h3_no_error', 'h3_general_protocol_error', 'h3_internal_error',
    'h3_stream_creation_error', 'h3_closed_critical_stream', 'h3_frame_unexpected',
    'h3_frame_error', 'h3_excessive_load', 'h3_id_error', 'h3_settings_error',
    'h3_missing_settings', 'h3_request_rejected', 'h3_request_cancelled', 'h3_request_incomplete',
    'h3_message_error', 'h3_connect_error', 'h3_version_fallback', 'pack_decompression_failed',
    'qpack_encoder_stream_error', 'qpack_decoder_stream_error',
    'quic_rxbuf_full', 'quic_dropped_pkt', 'quic_dropped_pkt_bufoverrun',
    'quic_dropped_parsing_pkt', 'quic_socket_full', 'quic_sendto_err', 'quic_sendto_err_unknwn',
    'quic_sent_pkt', 'quic_lost_pkt', 'quic_too_short_dgram', 'quic_retry_sent',
    'quic_retry_validated', 'quic_retry_error', 'quic_half_open_conn', 'quic_hdshk_fail',
    'quic_stless_rst_sent', 'quic_conn_migration_done', 'quic_transp_err_no_error',
    'quic_transp_err_internal_error', 'quic_transp_err_connection_refused',
    'quic_transp_err_flow_control_error', 'quic_transp_err_stream_limit_error',
    'quic_transp_err_stream_state_error', 'quic_transp_err_final_size_error',
    'quic_transp_err_frame_encoding_error', 'quic_transp_err_transport_parameter_error',
    'quic_transp_err_connection_id_limit', 'quic_transp_err_protocol_violation_error',
    'quic_transp_err_invalid_token', 'quic_transp_err_application_error',
    'quic_transp_err_crypto_buffer_exceeded', 'quic_transp_err_key_update_error',
    'quic_transp_err_aead_limit_reached', 'quic_transp_err_no_viable_path',
    'quic_transp_err_crypto_error', 'quic_transp_err_unknown_error', 'quic_data_blocked',
    'quic_stream_data_blocked', 'quic_streams_blocked_bidi', 'quic_streams_blocked_uni',
    # QUIC's again: two names that only 2.6 and 2.7 have, and one that 3.4 brought.
    'quic_streams_data_blocked_bidi', 'quic_streams_data_blocked_uni', 'quic_ncbuf_gap_limit',
    # QUIC's in 2.5, of which two columns share each of the last two names.
    'qc_rst_stream_rcvd', 'qc_detected_conn_protocol_errors', 'qc_detected_strm_protocol_errors',
    'qc_rst_stream_resp', 'qc_open_connections', 'qc_backend_open_streams',
]

# Averaged over the processes that report them: figures whose sum means nothing.
METRICS_AVG = [
    # Documented.
    'act', 'bck', 'check_duration', 'ctime', 'downtime', 'lastchg', 'lastsess', 'qlimit', 'qtime',
    'rtime', 'throttle', 'ttime', 'weight',
    # Times and durations.
    'Uptime_sec', 'Start_time_sec', 'BootTime_ms', 'agent_duration',
    # The longest times, like the averages above: nobody waited for as long as their sum.
    'qtime_max', 'ctime_max', 'rtime_max', 'ttime_max',
    # To HAProxy an average, like weight; and configuration, the same in all processes.
    'uweight', 'Nbproc', 'Nbthread', 'NbThreadGroups', 'check_rise', 'check_fall', 'check_health',
    'agent_rise', 'agent_fall', 'agent_health',
]

SUMMED = frozenset(METRICS_SUM)

# The rule of each figure, by its name: the one that is documented.
DOCUMENTED = dict.fromkeys(METRICS_SUM, 'sum')
DOCUMENTED.update(dict.fromkeys(METRICS_AVG, 'avg'))

# The rule that follows from the nature that HAProxy declares for the field in "show info typed" and
# "show stat typed" (management guide, "Typed output format"). Counters, gauges, rates and limits
# are added; averages are averaged, and so is configuration of the whole service, which is the same
# in all processes. The rest differs from what is documented.
NATURE = dict(DOCUMENTED)
# To HAProxy gauges, though for a server also a status: how many servers all processes use.
NATURE.update(dict.fromkeys(['act', 'bck'], 'sum'))
NATURE.update(dict.fromkeys([
    'Idle_pct',
    # To HAProxy a gauge, but a percentage.
    'SslFrontendSessionReuse_pct',
], 'avg'))
# Ages.
NATURE.update(dict.fromkeys(['lastchg', 'lastsess'], 'min'))
NATURE.update(dict.fromkeys([
    # Highest values. The sum would be right only if all processes had had them at one moment.
    'MaxConnRate', 'MaxSslConns', 'MaxSslRate', 'SslBackendMaxKeyRate', 'SslFrontendMaxKeyRate',
    'conn_rate_max', 'ctime_max', 'qmax', 'qtime_max', 'req_rate_max', 'rtime_max', 'smax',
    'ttime_max',
    # To HAProxy a gauge of a backend, but a highest value of a frontend or server.
    'rate_max',
    # To HAProxy a rate, unlike MaxConnRate and MaxSslRate.
    'MaxSessRate',
    # Durations.
    'BootTime_ms', 'Start_time_sec', 'Uptime_sec', 'agent_duration', 'check_duration',
    # To HAProxy a counter, but the guide gives it as an example of a duration.
    'downtime',
    # To HAProxy a key, which names a process: the highest one.
    'Process_num',
], 'max'))
# For programs, which might change it.
METRICS_NATURE = dict(NATURE)


def is_figure(name):
    """Return True if a field is a figure, which can be combined over processes."""
    return name in DOCUMENTED
