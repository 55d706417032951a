# A client that the domain does not authorise is refused at RCPT; log and reply carry the same reference.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<boss@pass.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 550 5.7.23 * (ref {ref})
log event=recipient verdict=reject check=spf reason=spf-fail client=192.0.2.66 helo=dialup.forger.example mail_from=boss@pass.example rcpt_to=info@local.test origin=foreign reply=550* ref={ref}
> DATA
< 554 5.5.1 *

# The domain's own explanation is quoted. It calls us what Postfix calls itself.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<boss@explained.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 550 5.7.23 *; explained.example explains: mx.local.test saw 192.0.2.66, which is not one of our hosts (ref {ref})
log event=recipient verdict=reject reason=spf-fail ref={ref}

# One that says nothing is not.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<boss@silent.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 550 5.7.23 SPF: 192.0.2.66 is not allowed to send mail for silent.example (ref {ref})
log event=recipient verdict=reject reason=spf-fail ref={ref}
