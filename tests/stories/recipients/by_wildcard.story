# A name that only the wildcard knows, in each domain by its own policy; all in one message.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@pass.example>
< 250 2.1.0 *
> RCPT TO:<anybody@allow.test>
< 250 2.1.5 *
> RCPT TO:<anybody@learn.test>
< 250 2.1.5 *
> RCPT TO:<anybody@reject.test>
< 550 5.1.1 *
log event=recipient verdict=reject reason=recipient-wildcard rcpt_to=anybody@reject.test
> RCPT TO:<anybody@monitored.test>
< 250 2.1.5 *
log event=recipient verdict=pass would=reject mode=monitor reason=recipient-wildcard rcpt_to=anybody@monitored.test
message
    From: alice@pass.example
    Subject: wildcards

    Wildcards.
< 250 2.0.0 *
log event=message verdict=pass
delivered alice@pass.example -> *
