<?php
// Roundcube's parser of addresses as a reader of From.
//
// Its argument is the folder of Roundcube's library. Each line of input is a field body in base64; each line of output says what
// it shows: pairs of a name and an address.

error_reporting(0);
require $argv[1] . '/bootstrap.php';

while (($line = fgets(STDIN)) !== false) {
    $shown = [];
    foreach (rcube_mime::decode_address_list(base64_decode($line), null, true, 'ISO-8859-1') as $entry) {
        $shown[] = [$entry['name'], $entry['mailto']];
    }
    echo json_encode(['roundcube' => $shown], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
