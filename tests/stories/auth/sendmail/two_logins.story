# Sendmail, unlike RFC 3207, 4.2, does not end a login with STARTTLS, and takes no second one: the session stays alice's.
client ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
login alice@example.org
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RSET
< 250 2.0.0 *
> MAIL FROM:<bob@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {before})
log event=recipient verdict=reject check=auth_match login=alice@example.org ref={before}
> RSET
< 250 2.0.0 *
starttls
> EHLO laptop.example
< 250 *
> AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBvcGVuIHNlc2FtZQ==
< 503 *
> MAIL FROM:<bob@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {after})
log event=recipient verdict=reject check=auth_match login=alice@example.org ref={after}
> RSET
< 250 2.0.0 *
mail alice@example.org -> friend@outside.test
message
    From: alice@example.org
    Subject: still alice

    Hello.
< 250 2.0.0 *
log event=message verdict=pass origin=login login=alice@example.org
delivered alice@example.org -> friend@outside.test

# The next client has nothing of it.
client ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {nobody})
log event=recipient verdict=reject check=require_auth origin=foreign login= ref={nobody}
> RSET
< 250 2.0.0 *
login bob@example.org
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *bob@example.org may not send as alice@example.org (ref {bob})
log event=recipient verdict=reject check=auth_match login=bob@example.org ref={bob}
