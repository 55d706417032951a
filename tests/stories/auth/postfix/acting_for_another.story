# A login that is to act for somebody else (RFC 4616, 2): Dovecot refuses it.
client ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
> AUTH PLAIN Y2VvQGV4YW1wbGUub3JnAGFsaWNlQGV4YW1wbGUub3JnAG9wZW4gc2VzYW1l
< 535 5.7.* *
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {ref})
log event=recipient verdict=reject check=require_auth origin=foreign login= ref={ref}
