//  shim.h: libxml2: its streaming reader, which stays bounded, and the error codes.
#include <libxml/xmlreader.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
