# A login ends with STARTTLS (RFC 3207, 4.2), and the next one has its own rights only.
client ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
login alice@example.org
mail alice@example.org -> friend@outside.test
message
    From: alice@example.org
    Subject: alice

    Hello.
< 250 2.0.0 *
log event=message verdict=pass origin=login login=alice@example.org
delivered alice@example.org -> friend@outside.test

# Reset with her rights in force: they last, and are no more than hers.
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RSET
< 250 2.0.0 *
> MAIL FROM:<bob@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 550 5.7.1 *alice@example.org may not send as bob@example.org (ref {alice})
log event=recipient verdict=reject check=auth_match login=alice@example.org ref={alice}
> RSET
< 250 2.0.0 *

# Nobody is logged in any more.
starttls
> EHLO laptop.example
< 250 *
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {nobody})
log event=recipient verdict=reject check=require_auth origin=foreign login= ref={nobody}
> RSET
< 250 2.0.0 *

# Now it is bob.
login bob@example.org
> MAIL FROM:<alice@example.org>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *bob@example.org may not send as alice@example.org (ref {bob})
log event=recipient verdict=reject check=auth_match login=bob@example.org ref={bob}
> RSET
< 250 2.0.0 *
mail bob@example.org -> friend@outside.test
message
    From: alice@example.org
    Subject: alice?

    Hello.
< 550 5.7.1 *bob@example.org may not send as alice@example.org (ref {header})
log event=message verdict=reject check=auth_match login=bob@example.org ref={header}
mail bob@example.org -> friend@outside.test
message
    From: bob@example.org
    Subject: bob

    Hello.
< 250 2.0.0 *
log event=message verdict=pass origin=login login=bob@example.org
delivered bob@example.org -> friend@outside.test
