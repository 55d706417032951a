# What looks like a login and is none: a client certificate, AUTH in MAIL (RFC 4954, 5), and both.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<ceo@example.org> AUTH=ceo@example.org
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {parameter})
log event=recipient verdict=reject check=require_auth reason=auth-required-mail-from origin=foreign login= ref={parameter}
> RSET
< 250 2.0.0 *
starttls ceo@example.org
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {certificate})
log event=recipient verdict=reject check=require_auth reason=auth-required-mail-from origin=foreign login= ref={certificate}
> RSET
< 250 2.0.0 *
> MAIL FROM:<ceo@example.org> AUTH=ceo@example.org
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {both})
log event=recipient verdict=reject check=require_auth reason=auth-required-mail-from origin=foreign login= ref={both}

# A login that fails.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdyb25n
< 535 5.7.* *
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {failed})
log event=recipient verdict=reject check=require_auth reason=auth-required-mail-from origin=foreign login= ref={failed}

# AUTH in MAIL adds nothing to the login of somebody else, in whose name the message is judged.
submission ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
login alice@example.org
> MAIL FROM:<bob@example.org> AUTH=bob@example.org
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {other})
log event=recipient verdict=reject check=auth_match reason=auth-match-mail-from login=alice@example.org ref={other}
