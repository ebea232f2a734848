//! The settings of proxies without which no WebSocket gets through; HAProxy and Caddy need none.

/// Has a proxy speak HTTP/1.1 to the server behind it, where it speaks 1.0 by default.
pub(super) const HTTP_1_1: &str = "nginx: `proxy_http_version 1.1;`";

/// Has a proxy pass on the two headers that end at each hop (RFC 9110 §7.6.1).
pub(super) const UPGRADE_PASSED: &str = "nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`";

/// Has a proxy pass on the host that the client asked for.
pub(super) const HOST_PASSED: &str = "nginx: `proxy_set_header Host $http_host;`";
