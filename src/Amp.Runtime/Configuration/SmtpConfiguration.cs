namespace Amp.Configuration;

/// <summary>The mail server that e-mails of background jobs are given to.</summary>
public sealed record SmtpConfiguration
{
    /// <summary>Its name or address.</summary>
    public required string Host { get; init; }

    /// <summary>Its port. One that expects TLS from the first byte (465) cannot be used.</summary>
    public int Port { get; init; } = 587;

    /// <summary>Whether the connection must be encrypted by STARTTLS; a server that does not offer it gets nothing then.</summary>
    public bool StartTls { get; init; } = true;

    /// <summary>User name; null exactly when <see cref="Password"/> is, for a server that asks for none. The server must offer <c>AUTH LOGIN</c>.</summary>
    public string? Username { get; init; }

    /// <summary>Password.</summary>
    public Secret? Password { get; init; }

    /// <summary>Who sends: an address, with or without a name before it.</summary>
    public required string From { get; init; }

    /// <summary>How long an e-mail may take, from connecting to the server's last answer.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);
}
