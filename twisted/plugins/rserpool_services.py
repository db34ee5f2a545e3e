from twisted.application.service import ServiceMaker

registrar = ServiceMaker(
    "rserpool registrar",
    "rserpool.service.maker",
    "A registrar of Reliable Server Pooling (ENRP server)",
    "rserpool-enrp",
)
element = ServiceMaker(
    "rserpool pool element",
    "rserpool.service.pe",
    "Registers a server in a pool while it works",
    "rserpool-pe",
)
