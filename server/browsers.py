"""What every answer tells a browser, so that nothing is made of it but what it is. https://owasp.org/www-project-secure-headers/"""

from server.reply import Headers, Reply

# What a page of ours says itself stays; of all else nothing is a page, and nothing is to be shown in one.
_TOLD: Headers = [
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
]
_OVER_TLS: Headers = [*_TOLD, ("Strict-Transport-Security", "max-age=31536000")]


def tell(reply: Reply, scheme: str) -> None:
    """Add what the answer does not say yet; by https also that browsers are to come by nothing else, for a year."""
    said = {name for name, _ in reply.headers}
    reply.headers += [(name, value) for name, value in (_OVER_TLS if scheme == "https" else _TOLD) if name not in said]
