# A name that only a wildcard knows, where wildcards are on their way out: who means it comes back.
client ADDR=192.0.2.10 NAME=mail.friend.example
> EHLO mail.friend.example
< 250 *
> MAIL FROM:<alice@friend.example>
< 250 2.1.0 *
> RCPT TO:<sales@soft.test>
< 450 4.1.1 * (ref {first})
log event=recipient verdict=defer check=recipients reason=recipient-wildcard-deferred rcpt_to=sales@soft.test ref={first}
> RCPT TO:<info@soft.test>
< 250 2.1.5 *
> RCPT TO:<postmaster@soft.test>
< 250 2.1.5 *
> RCPT TO:<SRS0=abc=de=far.example=bob@soft.test>
< 250 2.1.5 *
message
    From: alice@friend.example
    Subject: one for all

    The others get it at once.
< 250 2.0.0 *
log event=message verdict=pass
delivered alice@friend.example -> *
# Too early.
later +5m
client ADDR=192.0.2.10 NAME=mail.friend.example
> EHLO mail.friend.example
< 250 *
> MAIL FROM:<alice@friend.example>
< 250 2.1.0 *
> RCPT TO:<sales@soft.test>
< 450 4.1.1 *
log event=recipient verdict=defer reason=recipient-wildcard-deferred
# In time, from another address of the same network.
later +11m
client ADDR=192.0.2.11 NAME=mail2.friend.example
> EHLO mail2.friend.example
< 250 *
> MAIL FROM:<alice@friend.example>
< 250 2.1.0 *
> RCPT TO:<Sales+x@soft.test>
< 250 2.1.5 *
log event=recipient verdict=pass reason=recipient-wildcard rcpt_to=*ales+x@soft.test
message
    From: alice@friend.example
    Subject: again

    Here it is.
< 250 2.0.0 *
log event=message verdict=pass
delivered alice@friend.example -> *ales+x@soft.test
# Now the name is known to be real, to everybody.
client ADDR=192.0.2.200 NAME=mail.unknown.example
> EHLO mail.unknown.example
< 250 *
> MAIL FROM:<bob@unknown.example>
< 250 2.1.0 *
> RCPT TO:<sales@soft.test>
< 250 2.1.5 *
> RCPT TO:<guess@soft.test>
< 450 4.1.1 *
log event=recipient verdict=defer reason=recipient-wildcard-deferred rcpt_to=guess@soft.test
message
    From: bob@unknown.example
    Subject: new here

    Hello.
< 250 2.0.0 *
log event=message verdict=pass
delivered bob@unknown.example -> sales@soft.test
