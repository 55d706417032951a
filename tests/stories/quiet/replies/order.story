# A shop confirms orders to customers whose domains publish nothing. Nobody has written to it, so nothing is answered.
sendmail -f shop@strict.test customer@none.example
    From: The shop <shop@strict.test>
    To: customer@none.example
    Auto-Submitted: auto-generated
    Subject: Your order

    Thank you.
log event=message verdict=pass origin=local mail_from=shop@strict.test rcpt_to=customer@none.example
delivered shop@strict.test -> customer@none.example

# The same where nobody is ever answered, and with the null reverse-path.
sendmail -f <> customer@none.example
    From: The shop <shop@disabled.test>
    To: customer@none.example
    Auto-Submitted: auto-generated
    Subject: Your order

    Thank you.
log event=message verdict=pass origin=local mail_from=<> rcpt_to=customer@none.example
delivered  -> customer@none.example
