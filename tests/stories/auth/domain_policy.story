# example.net ties a login to its domain.
submission ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
login dora@example.net LOGIN

# A colleague's address.
mail erik@example.net -> friend@outside.test
message
    From: Erik <erik@example.net>
    Subject: a colleague

    Hello.
< 250 2.0.0 *
log event=message verdict=pass login=dora@example.net mail_from=erik@example.net
delivered erik@example.net -> friend@outside.test

# Another domain, though it is hosted here too; a domain below its own; one that only looks like its own.
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *dora@example.net may not send as alice@example.org (ref {hosted})
log event=recipient verdict=reject check=auth_match reason=auth-match-mail-from ref={hosted}
> RSET
< 250 2.0.0 *
> MAIL FROM:<dora@sub.example.net>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *dora@example.net may not send as dora@sub.example.net (ref {below})
log event=recipient verdict=reject check=auth_match reason=auth-match-mail-from ref={below}
> RSET
< 250 2.0.0 *
mail dora@example.net -> friend@outside.test
message
    From: dora@example.net.elsewhere.test
    Subject: look-alike

    Hello.
< 550 5.7.1 *dora@example.net may not send as dora@example.net.elsewhere.test (ref {header})
log event=message verdict=reject check=auth_match reason=auth-match-header-from ref={header}
