//  shim.h: libxml2: its streaming reader, which stays bounded, and the error codes.

// Debian's libxml2 is built with ICU, whose headers differ from those inside Foundation: a program that imports both
// modules does not compile. Nothing of ours needs the one struct that mentions ICU.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlreader.h>
