# DNS that answers SERVFAIL is our trouble, not the sender's: by default the message is accepted and says so.
client ADDR=192.0.2.66 NAME=mail.broken.example
> EHLO mail.broken.example
< 250 *
> MAIL FROM:<alice@broken.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 250 2.1.5 *
message
    From: alice@broken.example
    Subject: trouble

    Trouble.
< 250 2.0.0 *
log event=message verdict=pass spf=*temperror*
delivered alice@broken.example -> info@local.test
    Authentication-Results: mx.local.test; *spf=temperror smtp.mailfrom=broken.example; *
    Received: *
    From: alice@broken.example
    Subject: trouble

    Trouble.

# This domain defers it.
> MAIL FROM:<alice@broken.example>
< 250 2.1.0 *
> RCPT TO:<info@strict.test>
< 451 4.7.24 * (ref {ref})
log event=recipient verdict=defer check=spf rcpt_to=info@strict.test ref={ref}
