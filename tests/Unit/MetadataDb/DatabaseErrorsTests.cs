using System.Security.Authentication;
using Npgsql;

namespace Amp.MetadataDb;

public class DatabaseErrorsTests
{
    [Theory]
    [InlineData("28P01", "DatabaseAccessDenied", AmpErrorKind.Denied, false)]
    [InlineData("3D000", "DatabaseNotFound", AmpErrorKind.NotFound, false)]
    [InlineData("42P01", "DatabaseSchemaMismatch", AmpErrorKind.InvalidState, false)]
    [InlineData("40001", "DatabaseBusy", AmpErrorKind.Unavailable, true)]
    [InlineData("40P01", "DatabaseBusy", AmpErrorKind.Unavailable, true)]
    [InlineData("57014", "DatabaseTimeout", AmpErrorKind.Unavailable, true)]
    [InlineData("57P01", "DatabaseUnavailable", AmpErrorKind.Unavailable, true)]
    [InlineData("53100", "DatabaseOutOfResources", AmpErrorKind.LimitReached, true)]
    [InlineData("23505", "DatabaseConstraintViolated", AmpErrorKind.Conflict, false)]
    [InlineData("XX000", "DatabaseError", AmpErrorKind.Internal, false)]
    public void Translate_WhatTheServerSays_ByItsState(string state, string code, AmpErrorKind kind, bool isTransient)
    {
        var error = DatabaseErrors.Translate(new PostgresException("so it is", "ERROR", "ERROR", state), "counting", "db:1/amp");

        Assert.Equal((code, kind, isTransient, "db:1/amp"), (error.ErrorCode, error.Kind, error.IsTransient, error.Target));
        Assert.Equal($"Failed counting in db:1/amp: so it is (SQLSTATE {state}).", error.Message);
    }

    [Fact]
    public void Translate_AConnectionThatCannotBeTrusted_PointsToItsSettings()
    {
        var error = DatabaseErrors.Translate(new NpgsqlException("no", new AuthenticationException("not trusted")), "counting", "db:1/amp");

        Assert.Equal(("DatabaseTlsFailed", AmpErrorKind.Denied, false), (error.ErrorCode, error.Kind, error.IsTransient));
        Assert.Contains("sslrootcert", error.RecommendedAction, StringComparison.Ordinal);
    }
}
