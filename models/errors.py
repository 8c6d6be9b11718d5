"""What can go wrong with a model, and whose fault it was."""


class ModelError(Exception):
    """Anything the models package refuses."""


class RuntimeMissingError(ModelError):
    """No TFLite runtime is installed: the installation's fault."""


class BundleError(ModelError):
    """A bundle is missing, damaged, or made for another schema: the bundle's fault, named by its path."""


class TableError(ModelError):
    """A table of subscribers cannot be used: the fault of who made it; the column or row is named."""


class SignatureError(BundleError):
    """A bundle is not signed by a key that is trusted."""


class KeyFileError(ModelError):
    """A key cannot be read: the fault of who named it."""
