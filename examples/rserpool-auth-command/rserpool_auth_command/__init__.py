"""An external command says which pool elements may come in."""
