# A login that is to act for somebody else (RFC 4616, 2): Sendmail takes it, but what counts is whose password it was.
client ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
> AUTH PLAIN Y2VvQGV4YW1wbGUub3JnAGFsaWNlQGV4YW1wbGUub3JnAG9wZW4gc2VzYW1l
< 235 *
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *alice@example.org may not send as ceo@example.org (ref {ref})
log event=recipient verdict=reject check=auth_match origin=login login=alice@example.org ref={ref}
> RSET
< 250 2.0.0 *
> MAIL FROM:<ceo@example.org> AUTH=ceo@example.org
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *alice@example.org may not send as ceo@example.org (ref {author})
log event=recipient verdict=reject check=auth_match origin=login login=alice@example.org ref={author}
