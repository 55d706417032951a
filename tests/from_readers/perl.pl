# Perl's Email::Address::XS as a reader of From.
#
# Each line of input is a field body in base64; each line of output says what it shows: pairs of a name and an address.

use strict;
use warnings;
use Email::Address::XS;
use JSON::PP;
use MIME::Base64;

my $json = JSON::PP->new->utf8;
$| = 1;
while (my $line = <STDIN>) {
    my $body = decode_base64($line);
    # Names in UTF-8 are decoded, as Email::MIME does; others stay octets.
    utf8::decode($body);
    my @shown;
    for my $address (eval { Email::Address::XS->parse($body) }) {
        push @shown, [$address->phrase // '', $address->address // ''];
    }
    print $json->encode({ 'Email::Address::XS' => \@shown }), "\n";
}
