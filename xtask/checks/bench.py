def codec():
    pass
